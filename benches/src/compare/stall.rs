//! Makes the ledger stand still, as a schema change or a long transaction of somebody else would.

use std::time::Instant;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::engine::LoadError;

/// A session of its own on the ledger's server.
pub(crate) struct Staller {
    client: Client,
    connection: JoinHandle<()>,
}

impl Staller {
    pub(crate) async fn connect(url: &str) -> Result<Self, LoadError> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        // Its errors show at the next query.
        let connection = tokio::spawn(async { drop(connection.await) });
        Ok(Self { client, connection })
    }

    /// The server's version, such as `15.10`.
    pub(crate) async fn version(&self) -> Result<String, LoadError> {
        let row = self.client.query_one("select current_setting('server_version')", &[]).await?;
        let version: String = row.try_get(0)?;
        Ok(version.split(' ').next().unwrap_or_default().to_owned())
    }

    /// Nobody reads or writes an order from `at` on, for so many seconds.
    pub(crate) async fn stall(&self, at: Instant, for_s: f64) -> Result<(), LoadError> {
        tokio::time::sleep_until(at.into()).await;
        let sql = format!(
            "begin; lock table orders in access exclusive mode; select pg_sleep({for_s}); rollback"
        );
        Ok(self.client.batch_execute(&sql).await?)
    }
}

impl Drop for Staller {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
