//! A database, a vhost and a Redis database of a stack's own, and the means to break the servers.

use std::process::Command;

use secrecy::ExposeSecret;
use shared::testing::postgres::TestDatabase;
use shared::testing::rabbitmq::Vhost;
use shared::testing::redis::fresh_database;

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

    /// `kill -9`.
    pub fn kill(self) {
        services(&["kill", self.name()]);
    }

    /// Stops it as an operator would.
    pub fn stop(self) {
        services(&["stop", self.name()]);
    }

    /// Starts it again on the same port, and waits until it answers.
    pub fn start(self) {
        services(&["start", self.name()]);
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
