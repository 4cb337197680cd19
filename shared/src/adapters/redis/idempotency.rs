//! The idempotency map: (user, key) → the stamped purchase, for 24 hours.

use std::sync::Arc;

use async_trait::async_trait;
use redis::{AsyncCommands, Pipeline};
use tracing::warn;

use super::connection::RedisPool;
use crate::domain::{IdempotencyKey, Purchase, UserId};
use crate::ports::{IdempotencyError, IdempotencyMap, UserKey};

/// How long a retry is recognised here; afterwards the ledger's unique index still does.
const TTL_S: u64 = 24 * 60 * 60;

/// The map in Redis.
#[derive(Clone)]
pub struct RedisIdempotencyMap {
    pool: Arc<RedisPool>,
}

impl RedisIdempotencyMap {
    /// A map over `pool`.
    pub fn new(pool: Arc<RedisPool>) -> Self {
        Self { pool }
    }
}

/// The length in front keeps two pairs apart whose texts run together alike.
fn name(user_id: &UserId, key: &IdempotencyKey) -> String {
    format!("idem:{}:{user_id}:{key}", user_id.as_str().len())
}

/// An entry that cannot be read (written by another program) counts as none: the ledger's unique
/// index decides then.
fn parse(entry: Option<Vec<u8>>) -> Option<Purchase> {
    serde_json::from_slice(&entry?)
        .inspect_err(|error| warn!(%error, "an unreadable entry in the idempotency map"))
        .ok()
}

#[async_trait]
impl IdempotencyMap for RedisIdempotencyMap {
    async fn remember(
        &self,
        purchases: &[Purchase],
    ) -> Result<Vec<Option<Purchase>>, IdempotencyError> {
        let mut pipeline = Pipeline::new();
        for purchase in purchases {
            if let Some(keyed) = &purchase.keyed {
                // Writing plain values into memory has no way to fail.
                let entry = serde_json::to_vec(purchase).unwrap_or_default();
                pipeline
                    .cmd("SET")
                    .arg(name(&purchase.terms.user_id, &keyed.key))
                    .arg(entry)
                    .arg("NX")
                    .arg("GET")
                    .arg("EX")
                    .arg(TTL_S);
            }
        }
        let earlier: Vec<Option<Vec<u8>>> = self
            .pool
            .call(async |mut redis| pipeline.query_async(&mut redis).await)
            .await
            .map_err(IdempotencyError)?;
        let mut earlier = earlier.into_iter();
        let answer =
            |purchase: &Purchase| purchase.keyed.as_ref().and_then(|_| earlier.next().flatten());
        Ok(purchases.iter().map(answer).map(parse).collect())
    }

    async fn recall(&self, keys: &[UserKey]) -> Result<Vec<Option<Purchase>>, IdempotencyError> {
        let names: Vec<String> = keys.iter().map(|(user_id, key)| name(user_id, key)).collect();
        if names.is_empty() {
            return Ok(vec![]);
        }
        let entries: Vec<Option<Vec<u8>>> = self
            .pool
            .call(async |mut redis| redis.mget(&names).await)
            .await
            .map_err(IdempotencyError)?;
        Ok(entries.into_iter().map(parse).collect())
    }
}
