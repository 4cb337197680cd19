//! In-process doubles for `doorbuster dev`, simulations and tests. Nothing here survives the
//! process.

pub mod ledger;

pub use ledger::EmbeddedLedger;
