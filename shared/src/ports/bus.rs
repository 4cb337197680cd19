//! The event bus: fanouts that keep every API instance's boards up to date.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::{Order, StockLevel, Timestamp};

/// The bus is away, or lost something: subscribe again and take a snapshot.
#[derive(Debug, Clone, thiserror::Error)]
#[error("event bus unavailable: {0}")]
pub struct BusError(pub String);

/// Sent every half second with the stock of all active products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// An API whose catalogue is older reloads it.
    pub catalogue_version: i64,
    /// The ledger's clock.
    pub ledger_time: Timestamp,
}

/// The message on `stock.updates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockUpdate {
    /// Product → counts and version.
    pub stock: Vec<StockLevel>,
    /// Present in heartbeats, which carry all active products.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
}

/// A message of one of the fanouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusMessage {
    /// `stock.updates`
    Stock(Arc<StockUpdate>),
    /// `purchase.outcomes`: the orders a batch decided, as stored.
    Outcomes(Vec<Arc<Order>>),
}

/// Fanouts to every API instance.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Publishes each message to its fanout; `Ok` means the broker has them all.
    async fn publish(&self, messages: &[BusMessage]) -> Result<(), BusError>;

    /// Binds to both fanouts. Everything published after this returns is received, or `next`
    /// fails.
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, BusError>;
}

/// One subscriber's view of the bus.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for the next message. Cancel-safe. Messages that cannot be read are logged and
    /// skipped.
    async fn next(&mut self) -> Result<BusMessage, BusError>;
}
