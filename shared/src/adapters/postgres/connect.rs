//! One connection: TLS, time limits on both ends, settings.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret;
use tokio_postgres::config::{Config, Host, SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::listen::Listening;
use super::session::{MARGIN, Session};
use super::tap::LastError;
use crate::config;

/// Everything needed to open a connection; made once.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    settings: String,
    /// How long the answer to a statement may take.
    patience: Duration,
}

impl Connector {
    /// Reads the URL. Opens nothing.
    pub(super) fn new(settings: &config::Postgres) -> Result<Self, String> {
        let mut config: Config =
            settings.url.expose_secret().parse().map_err(|e| format!("postgres.url: {e}"))?;
        if !config.get_hosts().iter().all(|host| matches!(host, Host::Tcp(_))) {
            return Err("postgres.url: expected a host name (TCP), not a Unix socket".into());
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Require => Some(MakeRustlsConnect::new(tls_config()?)),
            _ => None,
        };
        let patience = Duration::from_millis(settings.statement_timeout_ms.into()) + MARGIN;
        if config.get_application_name().is_none() {
            config.application_name("doorbuster");
        }
        config
            .connect_timeout(settings.connect_timeout)
            // A server whose machine vanished is noticed within 15 s even between statements, and
            // within the statement's own time limit plus a little while one is under way.
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(5)
            .tcp_user_timeout(patience)
            // "Direct" hands us the bare socket, on which `Listening` does the rest.
            .ssl_mode(SslMode::Require)
            .ssl_negotiation(SslNegotiation::Direct);
        Ok(Self { config, tls, settings: session_settings(settings), patience })
    }

    /// Opens a connection for the daily work, with every guard set.
    pub(super) async fn open(&self) -> Result<Session, String> {
        let session = self.connect(Some(self.patience)).await?;
        let mut connection = session.connection();
        connection.batch_execute(&self.settings).await.map_err(|e| e.to_string())?;
        Ok(session)
    }

    /// Opens a connection without time limits, for migrations.
    pub(super) async fn open_bare(&self) -> Result<Session, String> {
        self.connect(None).await
    }

    async fn connect(&self, patience: Option<Duration>) -> Result<Session, String> {
        let last_error = LastError::default();
        let listening = Listening { tls: self.tls.clone(), last_error: last_error.clone() };
        // The config's own limit covers only TCP's part: a server that accepts and then says
        // nothing must not hold us either.
        let limit = self.config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(2));
        let opening = async {
            let (client, connection) =
                self.config.connect(listening).await.map_err(|e| describe(&e))?;
            AsyncPgConnection::try_from_client_and_connection(client, connection)
                .await
                .map_err(|e| e.to_string())
        };
        let connection =
            tokio::time::timeout(limit, opening).await.map_err(|_| "no answer in time")??;
        Ok(Session::new(connection, last_error, patience))
    }
}

/// tokio-postgres shows only the outermost error; the cause is what an operator needs.
fn describe(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn tls_config() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .map_err(|e| format!("postgres.url: TLS: {e}"))
}

/// The guards of a session, and settings that keep its plans right.
///
/// All our statements are point lookups. Their cached plans may have been made while tables were
/// empty, when reading a whole table looks cheapest, and would then stay for the minute that a
/// stampede takes. So a plan that reads whole tables is never an option, and statements that must
/// (audit, recounts) say so. With those costs the JIT compiler would wake up, for nothing.
fn session_settings(settings: &config::Postgres) -> String {
    format!(
        "set statement_timeout = {}; set lock_timeout = {}; \
         set idle_in_transaction_session_timeout = {}; \
         set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; \
         set tcp_keepalives_count = 5; set tcp_user_timeout = {}; \
         set plan_cache_mode = force_generic_plan; set jit = off; \
         set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off",
        settings.statement_timeout_ms,
        settings.lock_timeout_ms,
        settings.idle_in_transaction_timeout_ms,
        settings.idle_in_transaction_timeout_ms,
    )
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::Text;

    use super::*;
    use crate::adapters::postgres::statement::{bind, query};
    use crate::testing::postgres::TestDatabase;

    #[tokio::test]
    async fn every_connection_has_its_guards() {
        let database = TestDatabase::create_empty().await;
        let mut settings = database.settings();
        settings.lock_timeout_ms = 1_234;
        let session = Connector::new(&settings).unwrap().open().await.unwrap();
        let show = async |name: &str| -> String {
            let show = query::<Text, _>("select current_setting(?)", (bind::<Text, _>(name),));
            session.row(show).await.unwrap()
        };
        assert_eq!(show("lock_timeout").await, "1234ms");
        assert_eq!(show("statement_timeout").await, "5s");
        assert_eq!(show("idle_in_transaction_session_timeout").await, "3s");
        assert_eq!(show("tcp_user_timeout").await, "3000");
        assert_eq!(show("enable_seqscan").await, "off");
        assert_eq!(show("plan_cache_mode").await, "force_generic_plan");
    }
}
