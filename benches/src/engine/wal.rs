//! What the ledger's server writes to its log.

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::engine::error::LoadError;
use crate::measure::WalUse;

/// Bytes by the log's own position, which is exact; syncs as the server's statistics know them, which
/// its processes report about once a second.
const SQL: &str = "select (pg_current_wal_lsn() - '0/0'::pg_lsn)::int8, \
                   (select wal_sync from pg_stat_wal)";

/// A session that looks at the log's counters.
pub(crate) struct WalMeter {
    client: Client,
    connection: JoinHandle<()>,
}

impl WalMeter {
    pub(crate) async fn connect(url: &str) -> Result<Self, LoadError> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        // Its errors show at the next query.
        let connection = tokio::spawn(async { drop(connection.await) });
        Ok(Self { client, connection })
    }

    /// Everything since the server was made.
    pub(crate) async fn read(&self) -> Result<WalUse, LoadError> {
        let row = self.client.query_one(SQL, &[]).await?;
        let count = |column| row.try_get::<_, i64>(column).map(|count| count.max(0) as u64);
        Ok(WalUse { bytes: count(0)?, syncs: count(1)? })
    }
}

impl Drop for WalMeter {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// What was written between two readings.
pub(crate) fn between(before: WalUse, after: WalUse) -> WalUse {
    WalUse {
        bytes: after.bytes.saturating_sub(before.bytes),
        syncs: after.syncs.saturating_sub(before.syncs),
    }
}
