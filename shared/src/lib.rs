//! The library both rooms of Doorbuster stand on.
//!
//! [`domain`] is the business, pure. [`ports`] are the traits behind which technologies stand;
//! [`adapters`] are those technologies. [`pipeline`] is the way of a purchase from acceptance to
//! announcement. [`boards`] are what an API instance keeps in memory.

pub mod adapters;
pub mod boards;
pub mod config;
pub mod domain;
pub mod failpoints;
pub mod pipeline;
pub mod planted;
pub mod ports;
pub mod shutdown;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
