//! The gate: one hash per product, `{p:ID}:gate` → `free`, `version`. The braces let a Redis
//! Cluster spread products over its nodes.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use futures::future::try_join_all;
use redis::{AsyncCommands, Script};

use super::connection::RedisPool;
use crate::domain::{ProductId, StockLevel};
use crate::ports::{Answer, GateError, GateLevel, ProductClaim, StockGate, SyncMode};

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
static SYNC: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("sync.lua")));

/// Products in one call: a heartbeat of thousands must not run into the time limit of a call.
const PRODUCTS_MAX: usize = 500;

/// The gate in Redis. Calls for several products travel together on one connection.
#[derive(Clone)]
pub struct RedisGate {
    pool: Arc<RedisPool>,
}

impl RedisGate {
    /// A gate over `pool`.
    pub fn new(pool: Arc<RedisPool>) -> Self {
        Self { pool }
    }

    async fn sync_part(
        &self,
        levels: &[StockLevel],
        mode: SyncMode,
    ) -> Result<Vec<Option<GateLevel>>, String> {
        let equal_too = u8::from(mode == SyncMode::NewerOrEqual);
        let synced = self.pool.call(async |redis| {
            try_join_all(levels.iter().map(|level| {
                let mut redis = redis.clone();
                async move {
                    let mut call = SYNC.key(key(level.product_id));
                    call.arg(level.version).arg(level.counts.available()).arg(equal_too);
                    call.invoke_async::<Fields>(&mut redis).await
                }
            }))
            .await
        });
        Ok(synced.await?.into_iter().map(level).collect())
    }

    async fn levels_part(&self, products: &[ProductId]) -> Result<Vec<Option<GateLevel>>, String> {
        let levels = self.pool.call(async |redis| {
            try_join_all(products.iter().map(|&product| {
                let mut redis = redis.clone();
                async move { redis.hmget::<_, _, Fields>(key(product), &["free", "version"]).await }
            }))
            .await
        });
        Ok(levels.await?.into_iter().map(level).collect())
    }
}

/// `free` and `version` of a product, where it is known.
type Fields = (Option<i64>, Option<i64>);

fn level((free, version): Fields) -> Option<GateLevel> {
    Some(GateLevel { free: free?, version: version? })
}

fn key(product: ProductId) -> String {
    format!("{{p:{product}}}:gate")
}

#[async_trait]
impl StockGate for RedisGate {
    async fn claim(&self, claims: &[ProductClaim]) -> Result<Vec<Vec<Answer>>, GateError> {
        let answers = self.pool.call(async |redis| {
            try_join_all(claims.iter().map(|claim| {
                let mut redis = redis.clone();
                async move {
                    let mut call = CLAIM.key(key(claim.product_id));
                    for quantity in &claim.quantities {
                        call.arg(quantity);
                    }
                    call.invoke_async::<Option<String>>(&mut redis).await
                }
            }))
            .await
        });
        let answers = answers.await.map_err(GateError)?;
        Ok(claims.iter().zip(answers).map(|(claim, answer)| read(claim, answer)).collect())
    }

    async fn sync(
        &self,
        levels: &[StockLevel],
        mode: SyncMode,
    ) -> Result<Vec<Option<GateLevel>>, GateError> {
        let mut found = Vec::with_capacity(levels.len());
        for part in levels.chunks(PRODUCTS_MAX) {
            found.extend(self.sync_part(part, mode).await.map_err(GateError)?);
        }
        Ok(found)
    }

    async fn levels(&self, products: &[ProductId]) -> Result<Vec<Option<GateLevel>>, GateError> {
        let mut levels = Vec::with_capacity(products.len());
        for part in products.chunks(PRODUCTS_MAX) {
            levels.extend(self.levels_part(part).await.map_err(GateError)?);
        }
        Ok(levels)
    }
}

/// One answer per quantity; unknown where the gate does not know the product.
fn read(claim: &ProductClaim, answer: Option<String>) -> Vec<Answer> {
    let mut answers: Vec<_> = answer
        .unwrap_or_default()
        .bytes()
        .map(|byte| if byte == b'1' { Answer::Yes } else { Answer::No })
        .collect();
    answers.resize(claim.quantities.len(), Answer::Unknown);
    answers
}
