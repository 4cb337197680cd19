//! A database of its own for each test, on the real server that `scripts/services` runs.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, clippy::expect_used)] // How tests fail.

use std::sync::atomic::{AtomicU32, Ordering};

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::adapters::postgres;
use crate::config::{self, Config};

/// The variable that says where the server is.
pub const URL_VARIABLE: &str = "DOORBUSTER__POSTGRES__URL";

/// A migrated database that goes away with this value.
pub struct TestDatabase {
    name: String,
    server_url: String,
    settings: config::Postgres,
}

impl TestDatabase {
    /// Makes a database with all tables.
    pub async fn create() -> Self {
        let database = Self::create_empty().await;
        postgres::migrate(&database.settings).await.expect("the migrations run");
        database
    }

    /// Makes a database without tables.
    pub async fn create_empty() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server_url = std::env::var(URL_VARIABLE).unwrap_or_else(|_| {
            panic!(
                "this test needs PostgreSQL: run `scripts/services up` and then \
                 `eval \"$(scripts/services env)\"` ({URL_VARIABLE} is not set)"
            )
        });
        let (pid, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("doorbuster_test_{pid}_{count}_{:08x}", rand::random::<u32>());
        run(&server_url, &format!("create database {name}")).await;
        let mut settings = Config::load(None).expect("the configuration is valid").postgres;
        settings.url = SecretString::from(with_database(&server_url, &name));
        Self { name, server_url, settings }
    }

    /// How to reach it; a test may change what it likes.
    pub fn settings(&self) -> config::Postgres {
        self.settings.clone()
    }

    /// Runs SQL and answers the first column of every row, as text.
    pub async fn run(&self, sql: &str) -> Vec<String> {
        run(self.settings.url.expose_secret(), sql).await
    }

    /// A connection of its own, for a test that holds locks.
    pub async fn client(&self) -> tokio_postgres::Client {
        client(self.settings.url.expose_secret()).await
    }
}

impl Drop for TestDatabase {
    /// Takes the database away, also after a panic and whoever is still connected.
    fn drop(&mut self) {
        let (url, name) = (self.server_url.clone(), self.name.clone());
        // The test's own runtime may be shutting down, and cannot be waited for here.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let sql = format!("drop database if exists {name} with (force)");
            runtime.unwrap().block_on(run(&url, &sql));
        });
        let _ = dropping.join();
    }
}

/// `url` with another database.
fn with_database(url: &str, name: &str) -> String {
    let (path, query) =
        url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let (server, _) = path.rsplit_once('/').expect("the URL ends with a database");
    query.map_or_else(|| format!("{server}/{name}"), |query| format!("{server}/{name}?{query}"))
}

async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

async fn run(url: &str, sql: &str) -> Vec<String> {
    let rows = client(url).await.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    rows.iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        })
        .collect()
}
