//! A database, a vhost and a Redis database of a stack's own, and the means to break the servers.

use std::process::Command;

use secrecy::ExposeSecret;
use shared::testing::postgres::TestDatabase;
use shared::testing::rabbitmq::Vhost;
use shared::testing::redis::{flush, fresh_database};

/// A server that `scripts/services` runs.
#[derive(Debug, Clone, Copy)]
pub enum Server {
    Postgres,
    Redis,
    RabbitMq,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::RabbitMq => "rabbitmq",
        }
    }

    /// `kill -9`. It stays away until the answer is dropped, also by a failed test.
    pub fn kill(self) -> Down {
        services(&["kill", self.name()]);
        Down(self)
    }
}

/// A server that is away; it is started again on the same port when this is dropped.
pub struct Down(Server);

impl Drop for Down {
    fn drop(&mut self) {
        services(&["start", self.0.name()]);
    }
}

fn services(args: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services");
    let status = Command::new(script).args(args).status().unwrap();
    assert!(status.success(), "scripts/services {}", args.join(" "));
}

pub struct Servers {
    pub database: TestDatabase,
    pub vhost: Vhost,
    pub redis_url: String,
}

impl Servers {
    pub async fn new() -> Self {
        let redis = fresh_database().await;
        Self {
            database: TestDatabase::create_empty().await,
            vhost: Vhost::create().await,
            redis_url: redis.url.expose_secret().to_owned(),
        }
    }

    /// Makes Redis forget everything.
    pub async fn flush_redis(&self) {
        flush(&self.redis_url).await;
    }

    /// The configuration of programs that use these.
    pub fn environment(&self) -> Vec<(String, String)> {
        let postgres = self.database.settings().url.expose_secret().to_owned();
        [
            ("DOORBUSTER__POSTGRES__URL", postgres),
            ("DOORBUSTER__REDIS__URL", self.redis_url.clone()),
            ("DOORBUSTER__RABBITMQ__URL", self.vhost.url()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .to_vec()
    }
}
