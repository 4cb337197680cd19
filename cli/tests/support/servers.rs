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

/// The broker is short of memory and blocks publishers, until this is dropped.
pub struct MemoryAlarm;

impl MemoryAlarm {
    pub fn raise() -> Self {
        let alarm = Self;
        services(&["rabbitmqctl", "-q", "set_vm_memory_high_watermark", "absolute", "1MB"]);
        alarm
    }
}

impl Drop for MemoryAlarm {
    fn drop(&mut self) {
        // RabbitMQ's default: a part of the machine's memory.
        services(&["rabbitmqctl", "-q", "set_vm_memory_high_watermark", "0.4"]);
    }
}

/// Queues declared from now on try dead letters again soon, until this is dropped.
pub struct RetryDeadLetters;

impl RetryDeadLetters {
    pub fn soon() -> Self {
        let soon = Self;
        Self::every(500);
        soon
    }

    fn every(ms: u32) {
        let set = format!(
            "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, {ms})."
        );
        services(&["rabbitmqctl", "-q", "eval", &set]);
    }
}

impl Drop for RetryDeadLetters {
    fn drop(&mut self) {
        // RabbitMQ's default: three minutes.
        Self::every(180_000);
    }
}

/// No file of PostgreSQL grows any more, until this is dropped.
pub struct DiskFull;

impl DiskFull {
    /// Files may have so many bytes. Not a whole number of pages, so that a write is cut short as it
    /// is on a full disk.
    pub fn beyond(bytes: u64) -> Self {
        let full = Self;
        services(&["limit", "postgres", &bytes.to_string()]);
        full
    }
}

impl Drop for DiskFull {
    fn drop(&mut self) {
        // It may have ended: it does where its own log cannot grow.
        let _ = try_services(&["limit", "postgres", "none"]);
        services(&["start", "postgres"]);
    }
}

/// Redis has no memory left, until this is dropped.
pub struct RedisFull {
    url: String,
    before: Vec<(&'static str, String)>,
}

impl RedisFull {
    /// With `policy`, which says what may be dropped to make room.
    pub fn with(url: &str, policy: &str) -> Self {
        let mut redis = redis::Client::open(url).unwrap().get_connection().unwrap();
        let before = ["maxmemory", "maxmemory-policy"].map(|setting| {
            let mut get = redis::cmd("CONFIG");
            let (_, value): (String, String) =
                get.arg("GET").arg(setting).query(&mut redis).unwrap();
            (setting, value)
        });
        let full = Self { url: url.to_owned(), before: before.into() };
        for (setting, value) in [("maxmemory-policy", policy), ("maxmemory", "1")] {
            configure(&mut redis, setting, value);
        }
        full
    }
}

impl Drop for RedisFull {
    fn drop(&mut self) {
        let mut redis = redis::Client::open(&*self.url).unwrap().get_connection().unwrap();
        for (setting, value) in &self.before {
            configure(&mut redis, setting, value);
        }
    }
}

fn configure(redis: &mut redis::Connection, setting: &str, value: &str) {
    redis::cmd("CONFIG").arg("SET").arg(setting).arg(value).exec(redis).unwrap();
}

fn services(args: &[&str]) {
    let said = try_services(args);
    assert!(said.is_ok(), "scripts/services {}: {said:?}", args.join(" "));
}

/// What it said on failure.
fn try_services(args: &[&str]) -> Result<(), String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services");
    let output = Command::new(script).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
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
