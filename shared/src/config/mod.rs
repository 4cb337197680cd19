//! Configuration: an embedded, documented default, over it a file, over it the environment.
//!
//! `default.toml` is the reference; every field here is explained there.

mod load;
mod sections;

pub use load::{ConfigError, DEFAULT_TOML};
pub use sections::{
    Admin, Admit, Auth, AuthMode, Boards, EventSource, Events, Holds, Http, LatePayment, Limits,
    Live, Log, LogFormat, Metrics, Networks, Origins, PaymentProvider, Payments, Postgres,
    RabbitMq, Redis, RefusedPayment, Settle, TokenAlgorithm, Tracking, Worker,
};
use serde::Deserialize;

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The API's listener.
    pub http: Http,
    /// The ledger.
    pub postgres: Postgres,
    /// The gate.
    pub redis: Redis,
    /// The broker.
    pub rabbitmq: RabbitMq,
    /// Accepting purchases.
    pub admit: Admit,
    /// Concluding purchases.
    pub settle: Settle,
    /// Holds.
    pub holds: Holds,
    /// Payments of holds.
    pub payments: Payments,
    /// The delivery room.
    pub worker: Worker,
    /// What an API keeps in memory.
    pub boards: Boards,
    /// What clients are told without asking.
    pub live: Live,
    /// What other systems are told.
    pub events: Events,
    /// Who a client is.
    pub auth: Auth,
    /// Operators.
    pub admin: Admin,
    /// Tracking IDs.
    pub tracking: Tracking,
    /// Bounds on requests.
    pub limits: Limits,
    /// Logs.
    pub log: Log,
    /// Metrics.
    pub metrics: Metrics,
}
