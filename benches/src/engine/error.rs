//! Why a run could not take place; each text says what to do next.

use crate::client::InvalidUrl;
use crate::shop::ShopError;

/// The run could not be done. What a run *found* is in the measurement, not here.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An option is out of range.
    #[error("{0}")]
    Option(&'static str),
    /// A URL cannot be used.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// The shop does not do as it is asked.
    #[error(transparent)]
    Shop(#[from] ShopError),
    /// The thread that wakes the open loop cannot be started.
    #[error("no thread could be started; is the limit of processes reached?")]
    Thread(#[source] std::io::Error),
    /// A process that is to be watched is not there.
    #[error("--process {name}={pid}: cannot be watched; look at its process ID again")]
    Process {
        /// The name it was given.
        name: String,
        /// Its ID.
        pid: u32,
        /// What /proc said.
        source: std::io::Error,
    },
    /// The ledger's server does not tell what it writes.
    #[error("--postgres must be the URL of a PostgreSQL 14 or later, without TLS; or leave it out")]
    Postgres(#[from] tokio_postgres::Error),
    /// A task of the generator panicked.
    #[error("the load generator itself failed: {0}; please report this")]
    Crashed(#[from] tokio::task::JoinError),
}
