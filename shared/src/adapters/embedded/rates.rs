//! Rate limits in memory.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::domain::{RateTable, Rated};
use crate::ports::{RateAsk, RateLimits, RatesError};

/// Keys that are remembered.
const KEYS_MAX: usize = 100_000;

/// A table behind one mutex.
#[derive(Debug)]
pub struct EmbeddedRates {
    table: Mutex<RateTable>,
    seed: RandomState,
    began: Instant,
}

impl Default for EmbeddedRates {
    fn default() -> Self {
        let table = Mutex::new(RateTable::new(KEYS_MAX));
        Self { table, seed: RandomState::new(), began: Instant::now() }
    }
}

impl EmbeddedRates {
    fn table(&self) -> MutexGuard<'_, RateTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RateLimits for EmbeddedRates {
    async fn take(&self, asks: &[RateAsk]) -> Result<Vec<Rated>, RatesError> {
        let (mut table, now_us) = (self.table(), self.began.elapsed().as_micros() as u64);
        let take = |ask: &RateAsk| table.take(self.seed.hash_one(&ask.key), ask.policy, now_us);
        Ok(asks.iter().map(take).collect())
    }

    async fn give_back(&self, asks: &[RateAsk]) -> Result<(), RatesError> {
        let mut table = self.table();
        for ask in asks {
            table.give_back(self.seed.hash_one(&ask.key), ask.policy);
        }
        Ok(())
    }
}
