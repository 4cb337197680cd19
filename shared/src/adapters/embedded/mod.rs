//! Everything in one process, with nothing installed and nothing that survives: for `doorbuster
//! dev`, tests and simulation. Passes the same conformance suites as the real adapters.
#![deny(clippy::disallowed_methods)]

mod bus;
mod gate;
mod idempotency;
mod ledger;
mod queue;
mod rates;
mod rooms;

pub use bus::EmbeddedBus;
pub use gate::EmbeddedGate;
pub use idempotency::EmbeddedIdempotencyMap;
#[cfg(any(test, feature = "testing"))]
pub use ledger::Tamper;
pub use ledger::{Contents, EmbeddedLedger};
pub use queue::EmbeddedQueue;
pub use rates::EmbeddedRates;
pub use rooms::EmbeddedRooms;
