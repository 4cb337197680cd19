//! `PostgreSQL` alone: committed inserts into a table like `orders`, the way the ledger writes them.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use shared::config;

use super::error::LimitError;
use super::ground::{Ground, Pace};
use super::rows::{Columns, Crowd};
use super::table::{Table, Writer};

/// Rows in a transaction, up to `settle.batch_max`.
const BATCHES: [usize; 3] = [64, 256, 1024];
const CONNECTIONS: [usize; 2] = [1, 2];

/// What a table like `orders` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Insert {
    /// Rows in a statement, which is a transaction.
    pub batch: usize,
    /// Connections, each with one statement under way at a time.
    pub connections: usize,
    /// Whether each row has an idempotency key, which is an entry more in a unique index.
    pub keyed: bool,
    /// Rows committed per second.
    pub rows_per_s: f64,
    /// Bytes of write-ahead log per row.
    pub wal_bytes_per_row: f64,
    /// Times that the log was synced to disk, per row; none where the server does not tell.
    pub wal_syncs_per_row: Option<f64>,
}

/// Writes confirmed orders into a table of its own, `synchronous_commit` on.
pub async fn measure(
    config: &config::Postgres,
    ground: &Ground<'_>,
) -> Result<Vec<Insert>, LimitError> {
    let table = Table::create(config).await?;
    let found = ground.unless_stopped(all(&table, ground)).await;
    let removed = table.remove().await;
    found.and_then(|found| removed.map(|()| found))
}

async fn all(table: &Table, ground: &Ground<'_>) -> Result<Vec<Insert>, LimitError> {
    let mut found = Vec::new();
    for keyed in [false, true] {
        for connections in CONNECTIONS {
            for batch in BATCHES {
                let insert = one(table, batch, connections, keyed, ground).await?;
                (ground.say)(&insert.to_string());
                found.push(insert);
            }
        }
    }
    Ok(found)
}

async fn one(
    table: &Table,
    batch: usize,
    connections: usize,
    keyed: bool,
    ground: &Ground<'_>,
) -> Result<Insert, LimitError> {
    table.empty().await?;
    let writers = table.writers(connections).await?;
    let mut log = None;
    let pace = ground.warm(async |time| {
        let before = table.log(&writers).await?;
        let pace = write(&writers, batch, keyed, time).await?;
        log = Some((before, table.log(&writers).await?));
        Ok(pace)
    });
    let pace = pace.await?;
    let bytes = log.map_or(0, |(before, after)| after.bytes - before.bytes);
    let syncs = log.and_then(|(before, after)| Some(after.syncs? - before.syncs?));
    Ok(Insert {
        batch,
        connections,
        keyed,
        rows_per_s: pace.per_s(),
        wal_bytes_per_row: pace.share(bytes as f64),
        wal_syncs_per_row: syncs.map(|syncs| pace.share(syncs as f64)),
    })
}

/// Counts rows that were committed.
async fn write(
    writers: &[Writer],
    batch: usize,
    keyed: bool,
    time: Duration,
) -> Result<Pace, LimitError> {
    let began = Instant::now();
    let crowd = &Crowd::new();
    let written = writers.iter().map(|writer| async move {
        let mut columns = Columns::new(batch, keyed);
        let mut rows = 0;
        while began.elapsed() < time {
            columns.renew(crowd);
            rows += columns.insert(writer).await?;
        }
        Ok::<u64, LimitError>(rows)
    });
    let rows = try_join_all(written).await?;
    Ok(Pace::since(began, rows.iter().sum()))
}
