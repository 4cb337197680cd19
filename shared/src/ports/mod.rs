//! The traits behind which technologies stand.
//!
//! Each is called once per batch, so dynamic dispatch is fast enough and keeps signatures short.
//! Each has one conformance suite that every adapter passes, so families cannot drift apart.

pub mod bus;
pub mod clock;
pub mod gate;
pub mod idempotency;
pub mod ledger;
pub mod queue;

pub use bus::{BusError, BusMessage, EventBus, Heartbeat, StockUpdate, Subscription};
pub use clock::{Clock, LedgerClock, SystemClock};
pub use gate::{Answer, GateError, GateLevel, ProductClaim, StockGate, SyncMode};
pub use idempotency::{IdempotencyError, IdempotencyMap};
pub use ledger::{
    Announcement, DeadLetter, DueId, Ledger, LedgerAudit, LedgerError, NewProduct, ProductAudit,
    ProductChange, Pulse, Recorded,
};
pub use queue::{Deliveries, Delivery, PurchaseQueue, QueueError, QueueStatus, Receipt};
