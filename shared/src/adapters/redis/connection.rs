//! Connections to Redis, and the rule that a Redis in trouble costs nobody any time: after a
//! failure it is left alone for a while, and every call fails at once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bb8_redis::bb8::{ManageConnection, Pool};
use metrics::{counter, gauge};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, RedisResult};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config;

/// A connection, and whether its last call came to an end. One that did not may be half-open, which
/// the client notices only when the kernel gives up, a quarter of an hour later.
struct Connection {
    redis: ConnectionManager,
    in_call: bool,
}

/// Makes connections that reconnect by themselves. Checking them at every checkout, as the stock
/// manager of bb8-redis would, doubles the round trips.
struct Manager {
    client: Client,
    config: ConnectionManagerConfig,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = RedisError;

    async fn connect(&self) -> Result<Connection, RedisError> {
        let redis =
            ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone())?;
        Ok(Connection { redis, in_call: false })
    }

    async fn is_valid(&self, _: &mut Connection) -> Result<(), RedisError> {
        Ok(())
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.in_call
    }
}

/// A bounded set of connections to one Redis.
pub struct RedisPool {
    pool: Pool<Manager>,
    timeout: Duration,
    retry_after: Duration,
    /// Until then Redis is left alone.
    away_until: Mutex<Option<Instant>>,
}

impl RedisPool {
    /// A pool for the configured Redis; it need not be up.
    pub fn new(config: &config::Redis) -> RedisResult<Self> {
        let client = Client::open(config.url.expose_secret())?;
        let manager = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(config.timeout))
            .set_response_timeout(Some(config.timeout))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(10))
            .set_max_delay(Duration::from_millis(100));
        let pool = Pool::builder()
            .max_size(config.pool_size.get())
            .test_on_check_out(false)
            .connection_timeout(config.timeout)
            .build_unchecked(Manager { client, config: manager });
        let (timeout, retry_after) = (config.timeout, config.retry_after);
        Ok(Self { pool, timeout, retry_after, away_until: Mutex::new(None) })
    }

    /// Runs one call (which may be many commands under way at once) within the time limit.
    pub(super) async fn call<T>(
        &self,
        call: impl AsyncFnOnce(ConnectionManager) -> RedisResult<T>,
    ) -> Result<T, String> {
        if self.is_left_alone() {
            return Err("left alone for a moment after a failure".into());
        }
        let attempt = async {
            let mut connection = self.pool.get().await.map_err(|error| error.to_string())?;
            connection.in_call = true;
            let answer = call(connection.redis.clone()).await;
            connection.in_call = answer.as_ref().is_err_and(RedisError::is_timeout);
            answer.map_err(|error| error.to_string())
        };
        let result = tokio::time::timeout(self.timeout, attempt)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {:?}", self.timeout)));
        self.note(&result);
        result
    }

    /// `Err` while Redis does not answer.
    pub async fn ping(&self) -> Result<(), String> {
        self.call(async |mut redis| redis::cmd("PING").query_async::<()>(&mut redis).await).await
    }

    fn is_left_alone(&self) -> bool {
        let away_until = self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        away_until.is_some_and(|until| Instant::now() < until)
    }

    fn note<T>(&self, result: &Result<T, String>) {
        let mut away_until = self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) if away_until.take().is_some() => info!("redis is back"),
            Ok(_) => {}
            Err(error) => {
                counter!("doorbuster_redis_failures_total").increment(1);
                if away_until.replace(Instant::now() + self.retry_after).is_none() {
                    warn!(error, "redis is away; going on from the ledger");
                }
            }
        }
        gauge!("doorbuster_redis_up").set(if result.is_ok() { 1.0 } else { 0.0 });
    }
}
