//! Redis alone: claims through the gate's own script, all on one product as in a stampede.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::adapters::redis::{RedisGate, RedisPool};
use shared::config;
use shared::domain::{Counts, ProductId, StockLevel};
use shared::ports::{Answer, ProductClaim, StockGate, SyncMode};

use super::CONNECT_TIMEOUT;
use super::error::{LimitError, Server};
use super::ground::{Ground, Pace};

/// Purchases in a call: alone, and up to what a worker gathers.
const BATCHES: [usize; 4] = [1, 16, 64, 256];
/// Calls under way at any time: two workers with `settle.rounds` each.
const IN_FLIGHT: usize = 4;
/// More than can be claimed, and still a number that the script counts exactly.
const UNITS: i64 = 1 << 52;
/// Where we are killed Redis forgets the key by itself, after so long.
const EXPIRES_S: i64 = 600;

/// What the gate grants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Purchases in a call.
    pub batch: usize,
    /// Calls under way at any time.
    pub in_flight: usize,
    /// Calls per second.
    pub calls_per_s: f64,
    /// Purchases per second.
    pub purchases_per_s: f64,
}

/// Claims units of a product that no shop has.
pub async fn measure(
    config: &config::Redis,
    ground: &Ground<'_>,
) -> Result<Vec<Claim>, LimitError> {
    let mut tidying = connect(config).await?;
    // Four connections, and none of them given up for an answer that is late once.
    let pool_size = NonZeroU32::new(IN_FLIGHT as u32).unwrap_or(NonZeroU32::MIN);
    let patient = config::Redis { timeout: CONNECT_TIMEOUT, pool_size, ..config.clone() };
    let pool = RedisPool::new(&patient).map_err(away)?;
    let gate = RedisGate::new(Arc::new(pool));
    // Product numbers are handed out from 1 upwards.
    let product = ProductId(rand::random_range(i64::MAX / 2..i64::MAX));
    let key = format!("{{p:{product}}}:gate");

    let found = ground.unless_stopped(async {
        let counts = Counts { total: UNITS, ..Counts::default() };
        let level = StockLevel { product_id: product, counts, version: 1, sale: None };
        gate.sync(&[level], SyncMode::Newer).await.map_err(away)?;
        tidying.expire::<_, ()>(&key, EXPIRES_S).await.map_err(away)?;
        all(&gate, product, ground).await
    });
    let found = found.await;
    let deleted = tidying.del::<_, ()>(&key).await.map_err(away);
    found.and_then(|found| deleted.map(|()| found))
}

fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LimitError {
    LimitError::at(Server::Redis)(error)
}

/// Fails where Redis is away.
pub(super) async fn reach(config: &config::Redis) -> Result<(), LimitError> {
    connect(config).await.map(drop)
}

async fn connect(config: &config::Redis) -> Result<MultiplexedConnection, LimitError> {
    let client = redis::Client::open(config.url.expose_secret()).map_err(away)?;
    let attempt = client.get_multiplexed_async_connection();
    tokio::time::timeout(CONNECT_TIMEOUT, attempt).await.map_err(away)?.map_err(away)
}

async fn all(
    gate: &RedisGate,
    product: ProductId,
    ground: &Ground<'_>,
) -> Result<Vec<Claim>, LimitError> {
    let mut found = Vec::new();
    for batch in BATCHES {
        let claims = [ProductClaim { product_id: product, quantities: vec![1; batch] }];
        let pace = ground.warm(async |time| claim(gate, &claims, time).await).await?;
        let calls_per_s = pace.per_s();
        let purchases_per_s = calls_per_s * batch as f64;
        let claim = Claim { batch, in_flight: IN_FLIGHT, calls_per_s, purchases_per_s };
        (ground.say)(&claim.to_string());
        found.push(claim);
    }
    Ok(found)
}

/// Counts calls that were granted.
async fn claim(
    gate: &RedisGate,
    claims: &[ProductClaim],
    time: Duration,
) -> Result<Pace, LimitError> {
    let began = Instant::now();
    let caller = async || {
        let mut done = 0;
        while began.elapsed() < time {
            let answers = gate.claim(claims).await.map_err(away)?;
            if answers.iter().flatten().any(|answer| *answer != Answer::Yes) {
                let what = "lost the key of the measurement".into();
                return Err(LimitError::Refused { server: Server::Redis, what });
            }
            done += 1;
        }
        Ok::<u64, LimitError>(done)
    };
    let done = try_join_all((0..IN_FLIGHT).map(|_| caller())).await?;
    Ok(Pace::since(began, done.iter().sum()))
}
