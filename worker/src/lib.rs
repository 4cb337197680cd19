//! Doorbuster's delivery room: takes purchases from the queue and settles them.
//!
//! [`run()`] is the whole program over its ports. It knows deliveries and acknowledgements, never
//! HTTP. Everything it does may be done by any number of workers at once.
#![deny(clippy::disallowed_methods)]

mod backoff;
mod consume;
mod deadlines;
mod drift;
mod gather;
mod heartbeat;
mod isolate;
mod rescue;
mod run;
mod sweep;

pub use consume::Consumer;
pub use run::run;
