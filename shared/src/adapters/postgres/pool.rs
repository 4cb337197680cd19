//! The pool: lends out connections that work, and says at once when there are none to be had.

use bb8::{ManageConnection, Pool, PooledConnection};
use metrics::counter;
use tokio::sync::watch;

use super::connect::Connector;
use super::errors::Fault;
use super::session::Session;
use crate::config;

/// Counts those who waited for a connection in vain.
const EXHAUSTED: &str = "doorbuster_ledger_pool_exhausted_total";

/// Opens connections for the pool.
pub(super) struct Sessions {
    connector: Connector,
    /// The last attempt to connect that failed; those who wait for a connection are told.
    failure: watch::Sender<String>,
}

impl ManageConnection for Sessions {
    type Connection = Session;
    type Error = String;

    async fn connect(&self) -> Result<Session, String> {
        self.connector.open().await.inspect_err(|error| {
            self.failure.send_replace(error.clone());
        })
    }

    /// Looks without asking the server (diesel-async calls this `RecyclingMethod::Fast`): a
    /// question per checkout would double the round trips of a small batch.
    async fn is_valid(&self, session: &mut Session) -> Result<(), String> {
        if session.is_unusable() { Err("the connection was closed".into()) } else { Ok(()) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        std::thread::panicking() || session.is_unusable()
    }
}

/// The connections of one program.
#[derive(Clone)]
pub(super) struct SessionPool {
    pool: Pool<Sessions>,
    failure: watch::Receiver<String>,
}

impl SessionPool {
    /// An empty pool: the server need not be there yet.
    pub(super) fn new(connector: Connector, settings: &config::Postgres) -> Self {
        let (sender, failure) = watch::channel(String::new());
        counter!(EXHAUSTED).increment(0);
        let pool = Pool::builder()
            .max_size(settings.pool_size.get())
            .connection_timeout(settings.connect_timeout)
            .test_on_check_out(true)
            // Whoever wants a connection is told of the failure and tries again themselves.
            .retry_connection(false)
            .build_unchecked(Sessions { connector, failure: sender });
        Self { pool, failure }
    }

    /// A connection, or [`Unavailable`](crate::ports::LedgerError::Unavailable) as soon as an
    /// attempt to open one fails, or when all are in use for too long.
    pub(super) async fn get(&self) -> Result<PooledConnection<'static, Sessions>, Fault> {
        let mut failure = self.failure.clone();
        failure.mark_unchanged();
        tokio::select! {
            biased;
            session = self.pool.get_owned() => session.map_err(|error| match error {
                bb8::RunError::User(error) => Fault::outage(error),
                bb8::RunError::TimedOut => {
                    counter!(EXHAUSTED).increment(1);
                    Fault::outage("no connection came free in time")
                }
            }),
            Ok(()) = failure.changed() => Err(Fault::outage(failure.borrow().clone())),
        }
    }
}
