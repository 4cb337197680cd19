//! Rate limits: one number per key, `rate:PURPOSE:WHOSE`, gone when it says nothing any more.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;

use super::connection::RedisPool;
use crate::domain::Rated;
use crate::ports::{RateAsk, RateLimits, RatesError};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rates.lua")));

/// The limits in Redis.
#[derive(Clone)]
pub struct RedisRates {
    pool: Arc<RedisPool>,
}

impl RedisRates {
    /// Limits over `pool`.
    pub fn new(pool: Arc<RedisPool>) -> Self {
        Self { pool }
    }

    async fn call(&self, asks: &[RateAsk], by: i8) -> Result<Vec<i64>, RatesError> {
        if asks.is_empty() {
            return Ok(vec![]);
        }
        let answers = self.pool.call(async |mut redis| {
            let mut call = TAKE.prepare_invoke();
            call.arg(by);
            for RateAsk { key, policy } in asks {
                call.key(format!("rate:{key}")).arg(policy.burst.get()).arg(policy.interval_us);
            }
            call.invoke_async(&mut redis).await
        });
        answers.await.map_err(RatesError)
    }
}

#[async_trait]
impl RateLimits for RedisRates {
    async fn take(&self, asks: &[RateAsk]) -> Result<Vec<Rated>, RatesError> {
        let answers = self.call(asks, 1).await?;
        if answers.len() != asks.len() {
            return Err(RatesError(format!("{} answers for {} asks", answers.len(), asks.len())));
        }
        let rated = |(ask, answer): (&RateAsk, i64)| Rated {
            policy: ask.policy,
            allowed: answer >= 0,
            ahead_us: if answer >= 0 { answer } else { -1 - answer }.unsigned_abs(),
        };
        Ok(asks.iter().zip(answers).map(rated).collect())
    }

    async fn give_back(&self, asks: &[RateAsk]) -> Result<(), RatesError> {
        self.call(asks, -1).await.map(drop)
    }
}
