//! Rate limits that all instances share.

use async_trait::async_trait;

use crate::domain::{RatePolicy, Rated};

/// The limits did not answer; each instance goes by its own.
#[derive(Debug, Clone, thiserror::Error)]
#[error("rate limits unavailable: {0}")]
pub struct RatesError(pub String);

/// One to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateAsk {
    /// Whose, and of what: `purchases:u-1`.
    pub key: String,
    /// By which rule.
    pub policy: RatePolicy,
}

impl RateAsk {
    /// One of what `name` counts, by `whose`.
    pub fn new(name: &str, whose: &str, policy: RatePolicy) -> Self {
        Self { key: [name, ":", whose].concat(), policy }
    }
}

/// Counts what was taken, by one clock.
#[async_trait]
pub trait RateLimits: Send + Sync {
    /// Takes one for each, in order.
    async fn take(&self, asks: &[RateAsk]) -> Result<Vec<Rated>, RatesError>;

    /// Gives one back for each.
    async fn give_back(&self, asks: &[RateAsk]) -> Result<(), RatesError>;
}
