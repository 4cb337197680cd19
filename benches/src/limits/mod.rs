//! The limits that bind the pipeline on one machine, each measured alone and one after the other.
//!
//! What a scenario reaches says little by itself: a virtual machine differs by tens of percent from
//! hour to hour. Its ratio to what the parts can do, measured in the same hour, stays.
//!
//! | file | limit |
//! |---|---|
//! | [`echo`] | HTTP alone: requests/s of an axum server that does nothing, asked as scenarios ask, and what each side pays |
//! | [`confirm`] | `RabbitMQ` alone: purchases/s confirmed by a quorum queue, and consumed from it too |
//! | [`claim`] | Redis alone: purchases/s through the gate's own script |
//! | [`insert`] | `PostgreSQL` alone: rows/s into a table like `orders`, and what they take of the log |
//!
//! `ground` is what they share; `echo_server`, `queue` and `table` are the corners that they make for
//! themselves and take away again; `show` prints the findings. Whatever else the machine and the
//! servers have to do meanwhile is missing in the figures.

pub mod claim;
pub mod confirm;
pub mod echo;
mod echo_server;
mod error;
mod ground;
pub mod insert;
mod queue;
mod rows;
mod show;
mod table;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::Config;

use crate::measure::Measurement;

pub use claim::Claim;
pub use confirm::Confirm;
pub use echo::EchoServer;
pub use error::{LimitError, Server};
pub use ground::Ground;
pub use insert::Insert;

/// What the parts of the pipeline can do, each on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How long each figure was measured, in seconds; those of HTTP say it themselves.
    pub measured_s: f64,
    /// Processors of the machine, shared by client and server.
    pub cores: usize,
    /// A bare HTTP server, asked what scenarios ask.
    pub echo: Vec<Measurement>,
    /// A quorum queue.
    pub confirm: Vec<Confirm>,
    /// The gate's script.
    pub claim: Vec<Claim>,
    /// A table like `orders`.
    pub insert: Vec<Insert>,
}

/// Measures all of them, one after the other, against the servers of `config`.
pub async fn measure(
    config: &Config,
    echo_server: &EchoServer,
    ground: &Ground<'_>,
) -> Result<Limits, LimitError> {
    // Whoever is away is named at once, not after all that comes before it.
    tokio::try_join!(
        queue::reach(&config.rabbitmq),
        claim::reach(&config.redis),
        table::reach(&config.postgres),
    )?;
    Ok(Limits {
        measured_s: ground.each.as_secs_f64(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        echo: echo::measure(echo_server, ground).await?,
        confirm: confirm::measure(&config.rabbitmq, ground).await?,
        claim: claim::measure(&config.redis, ground).await?,
        insert: insert::measure(&config.postgres, ground).await?,
    })
}

/// Long enough for a server that is there, short enough to wait for one that is not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
