//! Why a limit could not be measured; each text names the server and what to do next.

use std::error::Error;
use std::fmt;

use crate::engine::LoadError;

/// Who a limit is measured of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The gate.
    Redis,
    /// The ledger.
    Postgres,
    /// The broker.
    RabbitMq,
}

impl Server {
    const fn setting(self) -> &'static str {
        match self {
            Self::Redis => "redis.url",
            Self::Postgres => "postgres.url",
            Self::RabbitMq => "rabbitmq.url",
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Postgres => "PostgreSQL",
            Self::RabbitMq => "RabbitMQ",
        })
    }
}

/// The measurement could not be done.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// A server cannot be reached, or stopped answering.
    #[error("{server} does not answer; is it up, and is {} right?", server.setting())]
    Away {
        /// Who.
        server: Server,
        /// What its client said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A server answered something else than it was asked for.
    #[error("{server} {what}")]
    Refused {
        /// Who.
        server: Server,
        /// What it did.
        what: String,
    },
    /// There is no table `orders` to copy.
    #[error("PostgreSQL has no table `orders`; run `doorbuster migrate`")]
    NotMigrated,
    /// The HTTP server of the measurement did not start.
    #[error("the echo server did not start")]
    Echo(#[source] std::io::Error),
    /// The HTTP server of the measurement did not answer.
    #[error("the echo server cannot be asked")]
    NoEcho(#[source] LoadError),
    /// It said something else than it always does.
    #[error("the echo server was asked in vain: {0}")]
    StrangeEcho(String),
    /// A task of the measurement panicked.
    #[error("the measurement itself failed: {0}; please report this")]
    Crashed(#[from] tokio::task::JoinError),
    /// It was asked to stop.
    #[error("stopped before all was measured")]
    Stopped,
}

impl LimitError {
    /// For `map_err`: whatever the client of `server` said.
    pub(super) fn at<E: Into<Box<dyn Error + Send + Sync>>>(server: Server) -> impl Fn(E) -> Self {
        move |source| Self::Away { server, source: source.into() }
    }
}
