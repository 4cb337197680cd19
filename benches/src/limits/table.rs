//! A table like `orders` of our own, and plain connections to it.

use futures::future::try_join_all;
use secrecy::ExposeSecret;
use shared::config;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, Statement};

use super::CONNECT_TIMEOUT;
use super::error::{LimitError, Server};

/// The table, and a connection that looks at the server and tidies up.
pub(super) struct Table {
    pub(super) name: String,
    url: String,
    looking: Client,
}

/// A connection that writes, and its statement.
pub(super) struct Writer {
    pub(super) client: Client,
    pub(super) insert: Statement,
}

/// How much of the log the whole server has written, ever.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    pub(super) bytes: i64,
    /// Unknown where the server does not tell at the moment that it is asked (before version 15).
    pub(super) syncs: Option<i64>,
}

pub(super) fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LimitError {
    LimitError::at(Server::Postgres)(error)
}

async fn connect(url: &str) -> Result<Client, LimitError> {
    let attempt = tokio_postgres::connect(url, NoTls);
    let (client, connection) =
        timeout(CONNECT_TIMEOUT, attempt).await.map_err(away)?.map_err(away)?;
    tokio::spawn(connection);
    client
        .batch_execute("set synchronous_commit = on; set lock_timeout = '10s'")
        .await
        .map_err(away)?;
    Ok(client)
}

/// Fails where `PostgreSQL` is away, or has no table to copy.
pub(super) async fn reach(config: &config::Postgres) -> Result<(), LimitError> {
    let client = connect(config.url.expose_secret()).await?;
    client.prepare("select from orders").await.map(drop).map_err(not_migrated)
}

fn not_migrated(error: tokio_postgres::Error) -> LimitError {
    if error.code() == Some(&SqlState::UNDEFINED_TABLE) {
        LimitError::NotMigrated
    } else {
        away(error)
    }
}

impl Table {
    /// Makes it, with every index and check that `orders` has.
    pub(super) async fn create(config: &config::Postgres) -> Result<Self, LimitError> {
        let url = config.url.expose_secret().to_owned();
        let looking = connect(&url).await?;
        let name = format!("doorbuster_limits_{:016x}", rand::random::<u64>());
        let create = format!("create table {name} (like orders including all)");
        looking.batch_execute(&create).await.map_err(not_migrated)?;
        Ok(Self { name, url, looking })
    }

    /// Connections that write into it.
    pub(super) async fn writers(&self, count: usize) -> Result<Vec<Writer>, LimitError> {
        try_join_all((0..count).map(|_| async {
            let client = connect(&self.url).await?;
            let insert = client.prepare(&super::rows::statement(&self.name)).await.map_err(away)?;
            Ok(Writer { client, insert })
        }))
        .await
    }

    /// Empties it, so that every figure begins with empty indexes.
    pub(super) async fn empty(&self) -> Result<(), LimitError> {
        let truncate = format!("truncate {}", self.name);
        self.looking.batch_execute(&truncate).await.map_err(away)
    }

    /// What was written until now, by `writers` to the last byte.
    pub(super) async fn log(&self, writers: &[Writer]) -> Result<Log, LimitError> {
        let sql = "select current_setting('server_version_num')::int,
            pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
        let row = self.looking.query_one(sql, &[]).await.map_err(away)?;
        let syncs = match row.get::<_, i32>(0) {
            ..150_000 => None,
            150_000..180_000 => Some("select wal_sync from pg_stat_wal"),
            180_000.. => Some("select sum(fsyncs)::bigint from pg_stat_io where object = 'wal'"),
        };
        let syncs = match syncs {
            Some(sql) => {
                // A session tells what it did once a second, unless it is asked to.
                for writer in writers {
                    let flush = "select pg_stat_force_next_flush()";
                    writer.client.batch_execute(flush).await.map_err(away)?;
                }
                Some(self.looking.query_one(sql, &[]).await.map_err(away)?.get(0))
            }
            None => None,
        };
        Ok(Log { bytes: row.get(1), syncs })
    }

    /// Takes it away. Waits for inserts that are still under way.
    pub(super) async fn remove(self) -> Result<(), LimitError> {
        let drop = format!("drop table {}", self.name);
        self.looking.batch_execute(&drop).await.map_err(away)
    }
}
