//! Tables of its own for each test, on the real server that `scripts/services` runs.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, clippy::expect_used)] // How tests fail.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::adapters::postgres;
use crate::config::{self, Config};

/// The variable that says where the server is.
pub const URL_VARIABLE: &str = "DOORBUSTER__POSTGRES__URL";

/// Tables of its own for a test, on the server and database that the variable names.
///
/// A schema, not a database: to make and drop a database costs a checkpoint, two seconds on a
/// small machine, a schema twenty milliseconds. Nobody notices the difference, because the URL in
/// [`settings`](Self::settings) sets the search path; it also sets `application_name` to the
/// schema's name, so that a test can tell its own connections.
pub struct TestDatabase {
    name: String,
    server_url: String,
    settings: config::Postgres,
}

impl TestDatabase {
    /// Makes a place with all tables.
    pub async fn create() -> Self {
        let database = Self::create_empty().await;
        postgres::migrate(&database.settings).await.expect("the migrations run");
        database
    }

    /// Makes a place without tables.
    pub async fn create_empty() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server_url = std::env::var(URL_VARIABLE).unwrap_or_else(|_| {
            panic!(
                "this test needs PostgreSQL: run `scripts/services up` and then \
                 `eval \"$(scripts/services env)\"` ({URL_VARIABLE} is not set)"
            )
        });
        let (pid, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("test_{pid}_{count}_{:08x}", rand::random::<u32>());
        // The extension belongs to the whole database; tests that start together would collide.
        let sql = format!(
            "begin; select pg_advisory_xact_lock(20737);
             create extension if not exists btree_gist with schema public;
             create schema {name}; commit"
        );
        run(&server_url, &sql).await;
        let mut settings = Config::load(None).expect("the configuration is valid").postgres;
        settings.url = SecretString::from(within(&server_url, &name));
        // The machine is busy with other tests; tests of time limits set their own.
        settings.connect_timeout = Duration::from_secs(10);
        Self { name, server_url, settings }
    }

    /// The schema's name, and that of its connections.
    pub fn name(&self) -> &str {
        &self.name
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
    /// Takes everything away, also after a panic and whoever still holds locks.
    fn drop(&mut self) {
        let (url, name) = (self.server_url.clone(), self.name.clone());
        // The test's own runtime may be shutting down, and cannot be waited for here.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let sql = format!(
                "select pg_terminate_backend(pid) from pg_stat_activity
                     where application_name = '{name}';
                 set client_min_messages = warning;
                 drop schema if exists {name} cascade"
            );
            runtime.unwrap().block_on(run(&url, &sql));
        });
        let _ = dropping.join();
    }
}

/// `url` with connections that live in the schema `name`.
fn within(url: &str, name: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let options = format!("-csearch_path%3D{name}");
    format!("{url}{separator}application_name={name}&options={options}")
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
