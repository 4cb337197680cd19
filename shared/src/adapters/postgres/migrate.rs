//! Migrations, embedded in the program, and the tracking key.

use diesel::sql_types::Text;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use rand::TryRngCore;
use rand::rngs::OsRng;

use super::connect::Connector;
use super::errors::Fault;
use super::session::Session;
use super::statement::{bind, command};
use crate::config;
use crate::domain::TrackingKey;
use crate::planted::planted;
use crate::ports::LedgerError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");

/// Any number that nobody else uses: programs that start together migrate one after the other.
const LOCK: i64 = 0x0064_6f6f_7262_7573;

/// Brings the database up to date; answers the versions that were run.
pub async fn migrate(settings: &config::Postgres) -> Result<Vec<String>, LedgerError> {
    let connector = Connector::new(settings).map_err(LedgerError::Unavailable)?;
    let session = connector.open_bare().await.map_err(LedgerError::Unavailable)?;
    // Held until the connection is closed, at the end of `run`.
    session.batch(&format!("select pg_advisory_lock({LOCK})")).await?;
    // diesel's migrations are not async.
    let names = tokio::task::spawn_blocking(|| run(session.into_connection()))
        .await
        .map_err(|error| LedgerError::Unavailable(error.to_string()))?
        .map_err(|error| LedgerError::Unavailable(format!("migration: {error}")))?;
    let session = connector.open_bare().await.map_err(LedgerError::Unavailable)?;
    make_tracking_key(&session).await?;
    if planted("no-unique-key") {
        session.batch("drop index if exists orders_user_key").await?;
    }
    Ok(names)
}

fn run(connection: AsyncPgConnection) -> diesel::migration::Result<Vec<String>> {
    let mut connection: AsyncConnectionWrapper<_> = connection.into();
    let versions = connection.run_pending_migrations(MIGRATIONS)?;
    Ok(versions.iter().map(ToString::to_string).collect())
}

/// All instances share one key; the first to come makes it.
async fn make_tracking_key(session: &Session) -> Result<(), Fault> {
    let mut bytes = [0; 16];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| Fault::outage(error.to_string()))?;
    let sql = "insert into settings (name, value) values ('tracking_key', ?)
               on conflict do nothing";
    let key = TrackingKey::new(bytes).to_hex();
    session.execute(command(sql, (bind::<Text, _>(key),))).await.map(drop)
}
