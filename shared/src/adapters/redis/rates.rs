//! Rate limits: a key per user and purpose, `rate:PURPOSE:WHOSE`, of which only the remaining life counts: it is
//! what was taken and is not earned yet.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::{Pipeline, Script};

use super::connection::RedisPool;
use crate::domain::{RatePolicy, Rated};
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

    /// Takes the first one for each; whether it was the first. In a crowd nearly everybody's is, and a plain
    /// command costs a third of what a script does.
    async fn first(&self, asks: &[RateAsk]) -> Result<Vec<bool>, RatesError> {
        let mut pipeline = Pipeline::new();
        for RateAsk { key, policy } in asks {
            pipeline
                .cmd("SET")
                .arg(name(key))
                .arg("")
                .arg("NX")
                .arg("PX")
                .arg(interval_ms(*policy));
        }
        let set = self.pool.call(async |mut redis| pipeline.query_async(&mut redis).await).await;
        let set: Vec<Option<String>> = set.map_err(RatesError)?;
        Ok(set.into_iter().map(|set| set.is_some()).collect())
    }

    async fn script(&self, asks: &[&RateAsk], by: i8) -> Result<Vec<i64>, RatesError> {
        if asks.is_empty() {
            return Ok(vec![]);
        }
        let answers = self.pool.call(async |mut redis| {
            let mut call = TAKE.prepare_invoke();
            call.arg(by);
            for RateAsk { key, policy } in asks {
                call.key(name(key)).arg(policy.burst.get()).arg(interval_ms(*policy));
            }
            call.invoke_async(&mut redis).await
        });
        answers.await.map_err(RatesError)
    }
}

fn name(key: &str) -> String {
    ["rate:", key].concat()
}

/// The life of a key is counted in milliseconds.
fn interval_ms(policy: RatePolicy) -> u64 {
    policy.interval_us.div_ceil(1_000)
}

fn rated(policy: RatePolicy, answer_ms: i64) -> Rated {
    let allowed = answer_ms >= 0;
    let ahead_ms = if allowed { answer_ms } else { -1 - answer_ms }.unsigned_abs();
    Rated { policy, allowed, ahead_us: ahead_ms * 1_000 }
}

#[async_trait]
impl RateLimits for RedisRates {
    async fn take(&self, asks: &[RateAsk]) -> Result<Vec<Rated>, RatesError> {
        if asks.is_empty() {
            return Ok(vec![]);
        }
        let first = self.first(asks).await?;
        let more: Vec<_> =
            asks.iter().zip(&first).filter(|(_, first)| !**first).map(|(ask, _)| ask).collect();
        let mut answers = self.script(&more, 1).await?.into_iter();
        let one = |(ask, first): (&RateAsk, bool)| {
            let first_ms = i64::try_from(interval_ms(ask.policy)).unwrap_or(i64::MAX);
            let answer_ms = if first { Some(first_ms) } else { answers.next() };
            answer_ms.map(|answer_ms| rated(ask.policy, answer_ms))
        };
        let taken: Option<Vec<_>> = asks.iter().zip(first).map(one).collect();
        taken.ok_or_else(|| RatesError("too few answers".into()))
    }

    async fn give_back(&self, asks: &[RateAsk]) -> Result<(), RatesError> {
        self.script(&asks.iter().collect::<Vec<_>>(), -1).await.map(drop)
    }
}
