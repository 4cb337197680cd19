//! The event bus: fanouts that keep every API instance's boards up to date, and events for other
//! systems.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
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

/// What other systems are told, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same however often it is sent.
    pub id: String,
    /// What happened, such as `order.confirmed`; by this it is routed.
    pub name: &'static str,
    /// When it happened, by the ledger's clock.
    pub at: Timestamp,
    /// CloudEvents 1.0 in structured JSON mode.
    pub body: Bytes,
}

impl Event {
    /// What the body is.
    pub const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
}

/// A message of one of the fanouts, or an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusMessage {
    /// `stock.updates`
    Stock(Arc<StockUpdate>),
    /// `purchase.outcomes`: the orders a batch decided, as stored.
    Outcomes(Vec<Arc<Order>>),
    /// `events`: for other systems; subscriptions do not receive it.
    Event(Event),
}

/// Fanouts to every API instance, and events to whoever asked the broker for them.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Publishes each message to its exchange; `Ok` means the broker has them all.
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
