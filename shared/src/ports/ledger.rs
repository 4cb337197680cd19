//! The ledger: the law. It alone decides what was sold.

use std::sync::Arc;

use async_trait::async_trait;

use super::gate::Answer;
use super::idempotency::UserKey;
use crate::domain::{
    Catalogue, Counts, Money, Order, Product, ProductId, ProductRef, Purchase, Settled, Sku,
    StockLevel, Timestamp, TrackingId, TrackingKey,
};

/// Why the ledger did not do it. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// An outage: away, too slow, full. Try again; it is nobody's fault.
    #[error("ledger unavailable: {0}")]
    Unavailable(String),
    /// A purchase of the batch cannot be written for its own sake.
    #[error("ledger refused a purchase: {0}")]
    Poison(String),
    /// There is no such product.
    #[error("no such product")]
    ProductNotFound,
    /// Another product has this SKU.
    #[error("the SKU belongs to another product")]
    SkuTaken,
    /// A restock would withdraw units that are held or sold, or overflow the count; or a new
    /// product would begin with a negative one.
    #[error("only {available} units are unsold and not held")]
    StockInUse {
        /// Units that could be withdrawn.
        available: i64,
    },
}

/// A row of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueId(pub i64);

/// What one outbox row owes to the world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announcement {
    /// The row to delete when it is paid.
    pub due: Option<DueId>,
    /// Orders that changed, as stored.
    pub orders: Vec<Arc<Order>>,
    /// Inventory that changed.
    pub levels: Vec<StockLevel>,
    /// Copies owed to the dead-letter queue.
    pub dead_letters: Vec<DeadLetter>,
}

/// What a recorded batch came to.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// One per purchase, in order of arrival.
    pub settled: Vec<Settled>,
    /// What is owed for it; nothing when every purchase was there already.
    pub announcement: Option<Announcement>,
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

/// The ledger's state of all active products at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// The ledger's clock.
    pub now: Timestamp,
    /// Rises with every change of a product or sale.
    pub catalogue_version: i64,
    /// Stock of all active products.
    pub levels: Vec<StockLevel>,
}

/// A product to be added, with its first stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProduct {
    /// The shop's own name of it.
    pub sku: Sku,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Where the shop files it.
    pub category: String,
    /// A picture.
    pub image_url: Option<String>,
    /// What it costs.
    pub price: Money,
    /// Units one user may buy outside sales.
    pub per_user_limit: Option<u32>,
    /// Units there are.
    pub total: i64,
}

/// Changes to a product; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductChange {
    /// What it is called.
    pub name: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// What it costs, in minor units of its currency.
    pub price_minor: Option<i64>,
    /// Whether it is sold.
    pub active: Option<bool>,
    /// Units one user may buy outside sales; `Some(None)` removes the limit.
    pub per_user_limit: Option<Option<u32>>,
}

impl ProductChange {
    /// The product that `old` becomes.
    pub fn applied_to(&self, old: &Product) -> Product {
        Product {
            name: self.name.clone().unwrap_or_else(|| old.name.clone()),
            description: self.description.clone().unwrap_or_else(|| old.description.clone()),
            price: Money { minor: self.price_minor.unwrap_or(old.price.minor), ..old.price },
            active: self.active.unwrap_or(old.active),
            per_user_limit: self.per_user_limit.unwrap_or(old.per_user_limit),
            ..old.clone()
        }
    }
}

/// A product's inventory beside what its orders and stock movements add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductAudit {
    /// The inventory row.
    pub level: StockLevel,
    /// Whether it is sold.
    pub active: bool,
    /// Total by stock movements, reserved and sold by orders.
    pub recomputed: Counts,
    /// Orders that hold or bought units.
    pub orders_taken: i64,
    /// Refused orders.
    pub orders_rejected: i64,
}

/// The ledger's own account of itself, read in one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerAudit {
    /// Every product.
    pub products: Vec<ProductAudit>,
    /// Orders waiting for an operator.
    pub parked: i64,
    /// Dead letters kept.
    pub dead_letters: i64,
    /// Outbox rows not yet paid.
    pub dues: i64,
}

/// PostgreSQL, or its embedded double.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Settles `batch` in one transaction around [`crate::domain::decide()`]. `answers` are the
    /// gate's, one per purchase; they decide only which inventory rows are worth locking.
    async fn record(&self, batch: &[Purchase], answers: &[Answer])
    -> Result<Recorded, LedgerError>;

    /// Durably counts one more attempt to settle a suspect on its own; answers the count.
    async fn begin_attempt(&self, id: TrackingId) -> Result<u32, LedgerError>;

    /// Parks a purchase that cannot be settled: a `PARKED` row with only what its ID says, its raw
    /// bytes as a dead letter, and the copy to the dead-letter queue owed. Nothing where the
    /// order is already there (or the letter too).
    async fn park(&self, letter: &DeadLetter) -> Result<Option<Announcement>, LedgerError>;

    /// Keeps a dead letter that has no order: a wrong MAC, a collision.
    async fn keep_dead_letter(&self, letter: &DeadLetter) -> Result<(), LedgerError>;

    /// The orders that exist among `ids`, in no order.
    async fn orders(&self, ids: &[TrackingId]) -> Result<Vec<Order>, LedgerError>;

    /// The orders that own these keys, with their `keyed` filled in, in no order.
    async fn orders_by_key(&self, keys: &[UserKey]) -> Result<Vec<Order>, LedgerError>;

    /// All products, the sales that are not over, and of each product the last one that is (it
    /// keeps the product from falling back to its base price), at one version.
    async fn catalogue(&self) -> Result<Catalogue, LedgerError>;

    /// The clock, the catalogue version and the stock of all active products, in one snapshot.
    async fn pulse(&self) -> Result<Pulse, LedgerError>;

    /// The stock of these products, active or not; those that do not exist are left out.
    async fn stock(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, LedgerError>;

    /// The shared key of tracking IDs.
    async fn tracking_key(&self) -> Result<TrackingKey, LedgerError>;

    /// Takes up to `limit` outbox rows whose lease ran out and leases them anew, with the orders,
    /// counts and dead letters they owe as they are now.
    async fn lease_dues(&self, limit: usize) -> Result<Vec<Announcement>, LedgerError>;

    /// Deletes paid outbox rows.
    async fn clear_dues(&self, dues: &[DueId]) -> Result<(), LedgerError>;

    /// Adds a product.
    async fn create_product(&self, new: &NewProduct) -> Result<(Product, StockLevel), LedgerError>;

    /// Changes a product. A limit set anew counts what was bought before.
    async fn change_product(
        &self,
        product: &ProductRef,
        change: &ProductChange,
    ) -> Result<(Product, StockLevel), LedgerError>;

    /// Adds `delta` units (negative: withdraws unsold ones), noting `who` did it.
    async fn restock(
        &self,
        product: &ProductRef,
        delta: i64,
        who: &str,
    ) -> Result<StockLevel, LedgerError>;

    /// Inventory beside what orders and stock movements add up to.
    async fn audit(&self) -> Result<LedgerAudit, LedgerError>;
}
