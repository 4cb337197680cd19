//! What commits owe to the world.

use std::sync::Arc;

use crate::domain::{
    Notice, Order, OrderEvent, Purchase, Step, StockLevel, Timestamp, TrackingId, envelope,
};

/// A row of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueId(pub i64);

/// What happened to one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderChange {
    /// What happened.
    pub event: OrderEvent,
    /// The version that the order had then.
    pub version: i64,
    /// The order, then or later.
    pub order: Arc<Order>,
}

impl OrderChange {
    /// That an order was settled, or parked.
    pub fn settled(order: impl Into<Arc<Order>>) -> Self {
        let order = order.into();
        Self { event: OrderEvent::settled(&order), version: order.version, order }
    }
}

impl From<Step> for OrderChange {
    fn from(Step { event, order }: Step) -> Self {
        Self { event, version: order.version, order: Arc::new(order) }
    }
}

/// What one outbox row owes to the world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announcement {
    /// The row to delete when it is paid.
    pub due: Option<DueId>,
    /// When it was written, by the ledger's clock.
    pub at: Timestamp,
    /// Orders that changed, in the order in which they did.
    pub orders: Vec<OrderChange>,
    /// What else happened.
    pub notices: Vec<Notice>,
    /// Inventory that changed.
    pub levels: Vec<StockLevel>,
    /// Copies owed to the dead-letter queue.
    pub dead_letters: Vec<DeadLetter>,
}

/// A message that could not be processed, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The parked order, where the message could be decoded.
    pub order_id: Option<TrackingId>,
    /// The raw bytes, as they came.
    pub body: Vec<u8>,
    /// Why.
    pub error: String,
}

impl DeadLetter {
    /// The letter of a purchase whose order is parked.
    pub fn parked(purchase: &Purchase, error: impl Into<String>) -> Self {
        Self { order_id: Some(purchase.id), ..Self::orphaned(purchase, error) }
    }

    /// The letter of a purchase whose ID was made with another key than ours.
    pub fn forged(purchase: &Purchase) -> Self {
        Self::orphaned(purchase, format!("tracking ID {} was not issued by us", purchase.id))
    }

    /// The letter of a purchase that has no order: its ID is not ours, or somebody else's.
    pub fn orphaned(purchase: &Purchase, error: impl Into<String>) -> Self {
        Self { order_id: None, body: envelope::encode_alone(purchase), error: error.into() }
    }
}
