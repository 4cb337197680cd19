//! The traits behind which technologies stand.
//!
//! Each is called once per batch, so dynamic dispatch is fast enough and keeps signatures short.
//! Each has one conformance suite that every adapter passes, so families cannot drift apart.

use std::sync::Arc;

pub mod announcement;
pub mod audit;
pub mod bus;
pub mod catalogue;
pub mod clock;
pub mod deed;
pub mod gate;
pub mod idempotency;
pub mod identity;
pub mod ledger;
pub mod letter;
pub mod payment;
pub mod queue;
pub mod rates;
pub mod rooms;

pub use announcement::{Announcement, DeadLetter, DueId, OrderChange};
pub use audit::{BuyerMiscount, LedgerAudit, NAMED_MAX, Named, ProductAudit, SaleMiscount};
pub use bus::{BusError, BusMessage, Event, EventBus, Heartbeat, StockUpdate, Subscription};
pub use catalogue::{NewProduct, NewSale, ProductChange, SaleChange, SaleQuery};
pub use clock::{Clock, LedgerClock, SystemClock};
pub use deed::Deed;
pub use gate::{Answer, GateError, GateLevel, ProductClaim, StockGate, SyncMode};
pub use idempotency::{IdempotencyError, IdempotencyMap, UserKey};
pub use identity::{
    Account, Identities, IdentityError, NewSession, Rotated, SecretHash, ServiceKey, SigningKey,
};
pub use ledger::{Carried, Expired, Ledger, LedgerError, OrderQuery, Pulse, Recorded};
pub use letter::{
    AuditEntry, AuditQuery, Backlog, DuesWaiting, KeptLetter, LISTED_BYTES_MAX, LetterAct,
    LetterId, LetterMoved, LetterQuery, LetterRef, LettersWaiting,
};
pub use payment::{Charge, PaymentError, PaymentGateway, PaymentVerdict};
pub use queue::{Deliveries, Delivery, PurchaseQueue, QueueError, QueueStatus, Receipt, Sieve};
pub use rates::{RateAsk, RateLimits, RatesError};
pub use rooms::{RoomBook, Rooms};

/// One adapter behind every port: what a room needs to run.
#[derive(Clone)]
pub struct Ports {
    /// Where accepted purchases wait.
    pub queue: Arc<dyn PurchaseQueue>,
    /// What keeps the crowd off the ledger's locks.
    pub gate: Arc<dyn StockGate>,
    /// What makes a retry the same purchase.
    pub idempotency: Arc<dyn IdempotencyMap>,
    /// Rate limits that all instances share.
    pub rates: Arc<dyn RateLimits>,
    /// The law.
    pub ledger: Arc<dyn Ledger>,
    /// Who may do what.
    pub identities: Arc<dyn Identities>,
    /// The lines in front of sales.
    pub rooms: Arc<dyn Rooms>,
    /// What is known of these lines for good.
    pub room_book: Arc<dyn RoomBook>,
    /// What feeds the boards.
    pub bus: Arc<dyn EventBus>,
    /// Where money comes from.
    pub payments: Arc<dyn PaymentGateway>,
    /// The machine's time.
    pub clock: Arc<dyn Clock>,
}
