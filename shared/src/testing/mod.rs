//! What the tests of every room share: private corners of the real servers.
#![allow(clippy::missing_panics_doc, clippy::expect_used)] // A panic is how a test fails.

pub mod ledger;
pub mod postgres;
pub mod proxy;
pub mod rabbitmq;
pub mod redis;
pub mod sieve;
mod wait;

pub use wait::eventually;

/// Which adapters a conformance suite runs against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The real server.
    Real,
    /// In-process.
    Embedded,
}

/// The value of a variable that `scripts/services env` prints.
pub fn service(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run `scripts/services up` and `eval \"$(scripts/services env)\"`"
        )
    })
}
