//! A Redis database of a test's own.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use redis::AsyncCommands;
use secrecy::SecretString;

use crate::adapters::redis::RedisPool;
use crate::config;

/// Databases of the private Redis; number 0 hands out the others.
const DATABASES: u32 = 1_024;

/// The configuration of an empty database that no other running test uses.
pub async fn fresh_database() -> config::Redis {
    let url = super::service("DOORBUSTER__REDIS__URL");
    let base = url.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('/').to_owned();
    let zero = redis::Client::open(format!("{base}/0")).expect("a Redis URL");
    let mut zero = zero.get_multiplexed_async_connection().await.expect("Redis answers");
    let taken: u32 = zero.incr("doorbuster:test:database", 1).await.expect("a number");
    let url = format!("{base}/{}", 1 + taken % (DATABASES - 1));
    flush(&url).await;
    config_for(url)
}

/// Empties a database.
pub async fn flush(url: &str) {
    let own = redis::Client::open(url).expect("a Redis URL");
    let mut own = own.get_multiplexed_async_connection().await.expect("Redis answers");
    let _: () = redis::cmd("FLUSHDB").query_async(&mut own).await.expect("an empty database");
}

/// The default configuration with another URL.
pub fn config_for(url: String) -> config::Redis {
    config::Redis {
        url: SecretString::from(url),
        pool_size: NonZeroU32::new(4).expect("not zero"),
        // Generous: tests share two cores with compilers.
        timeout: Duration::from_secs(5),
        retry_after: Duration::from_millis(50),
    }
}

/// A pool over a fresh database.
pub async fn fresh_pool() -> Arc<RedisPool> {
    Arc::new(RedisPool::new(&fresh_database().await).expect("a pool"))
}
