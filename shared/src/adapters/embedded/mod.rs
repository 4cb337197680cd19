//! Everything in one process, with nothing installed and nothing that survives: for `doorbuster
//! dev`, tests and simulation. Passes the same conformance suites as the real adapters.

mod gate;
mod idempotency;

pub use gate::EmbeddedGate;
pub use idempotency::EmbeddedIdempotencyMap;
