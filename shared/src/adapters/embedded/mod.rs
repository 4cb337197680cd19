//! In-process doubles: nothing else is needed on the machine, and nothing survives it.
//!
//! They pass the same conformance suites as the real technologies, so they cannot drift apart.

pub mod bus;
pub mod queue;

pub use bus::EmbeddedBus;
pub use queue::EmbeddedQueue;
