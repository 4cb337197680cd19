//! The ledger: the law. It alone decides what was sold.

use std::time::Duration;

use async_trait::async_trait;

use super::announcement::{Announcement, DeadLetter, DueId};
use super::audit::LedgerAudit;
use super::catalogue::{NewProduct, NewSale, ProductChange, SaleChange, SaleQuery};
use super::gate::Answer;
use super::idempotency::UserKey;
use super::letter::{
    AuditEntry, AuditQuery, Backlog, KeptLetter, LetterMoved, LetterQuery, LetterRef,
};
use crate::domain::{
    Actor, Advanced, Catalogue, Command, Order, Phase, Product, ProductId, ProductRef, Purchase,
    Refusal, Sale, SaleId, Settled, Status, StockLevel, Timestamp, TrackingId, TrackingKey, UserId,
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
    /// There is no such sale.
    #[error("no such sale")]
    SaleNotFound,
    /// Another sale of the product is planned for a part of the time.
    #[error("it overlaps with sale {0}")]
    SaleOverlap(SaleId),
    /// A sale that is over, called off, or has begun cannot be changed like this.
    #[error("the sale is {0}")]
    SaleFixed(Phase),
    /// A sale would end before it begins.
    #[error("the sale would end before it starts")]
    SaleBackwards,
    /// The quantity of a sale would be less than it has sold and holds.
    #[error("{taken} units of the sale are taken")]
    SaleTaken {
        /// Units it has sold and holds.
        taken: i64,
    },
    /// There is no such dead letter.
    #[error("there is no such dead letter")]
    LetterNotFound,
    /// Nothing of the letter can be settled: it cannot be decoded, or has no order.
    #[error("the letter has no purchase that could be settled")]
    LetterUnusable,
    /// The letter's order is not parked any more.
    #[error("the letter's order is {0} already")]
    LetterDecided(Status),
}

impl LedgerError {
    /// Whether it is an answer about a dead letter, and not a failure.
    pub const fn is_about_letters(&self) -> bool {
        matches!(self, Self::LetterNotFound | Self::LetterUnusable | Self::LetterDecided(_))
    }
}

/// What a recorded batch came to.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// One per purchase, in order of arrival.
    pub settled: Vec<Settled>,
    /// What is owed for it; nothing when every purchase was there already.
    pub announcement: Option<Announcement>,
}

/// What commands to a batch of orders came to.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// One per command, in order.
    pub results: Vec<Result<Advanced, Refusal>>,
    /// What is owed for it; nothing when nothing changed.
    pub announcement: Option<Announcement>,
}

/// Holds and payments whose time was up.
#[derive(Debug, Clone, Default)]
pub struct Expired {
    /// How many there were; as many as were asked for means that there may be more.
    pub count: usize,
    /// What is owed for it.
    pub announcement: Option<Announcement>,
    /// Until the next deadline, if there is one.
    pub next_in: Option<Duration>,
}

/// Which orders of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Whose.
    pub user_id: UserId,
    /// Only those that stand there.
    pub status: Option<Status>,
    /// Only those issued before this one: the last of the page before.
    pub after: Option<TrackingId>,
    /// So many at most.
    pub limit: usize,
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

/// PostgreSQL, or its embedded double. What an operator changes (`by`) is noted in the audit log in the
/// transaction that changes it.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Settles `batch` in one transaction around [`crate::domain::decide()`]. `answers` are the
    /// gate's, one per purchase; they decide only which inventory rows are worth locking.
    async fn record(&self, batch: &[Purchase], answers: &[Answer])
    -> Result<Recorded, LedgerError>;

    /// Carries out `commands` in order, in one transaction around [`crate::domain::advance()`].
    async fn advance(&self, commands: &[Command]) -> Result<Carried, LedgerError>;

    /// Ends up to `limit` holds and payments whose time is up by the ledger's clock, skipping those
    /// that somebody else has in hand.
    async fn expire(&self, limit: usize) -> Result<Expired, LedgerError>;

    /// A user's orders, newest first.
    async fn orders_of(&self, query: &OrderQuery) -> Result<Vec<Order>, LedgerError>;

    /// Durably counts one more attempt to settle a suspect on its own; answers the count.
    async fn begin_attempt(&self, id: TrackingId) -> Result<u32, LedgerError>;

    /// Parks a purchase that cannot be settled: a `PARKED` row with only what its ID says, its raw
    /// bytes as a dead letter, and the copy to the dead-letter queue owed. Nothing where the
    /// order is already there (or the letter too), except that a letter whose replay has failed
    /// notes the error and the attempts.
    async fn park(&self, letter: &DeadLetter) -> Result<Option<Announcement>, LedgerError>;

    /// Keeps a dead letter that has no order: a wrong MAC, a collision.
    async fn keep_dead_letter(&self, letter: &DeadLetter) -> Result<(), LedgerError>;

    /// A page of dead letters with their orders.
    async fn letters(&self, query: &LetterQuery) -> Result<Vec<KeptLetter>, LedgerError>;

    /// One dead letter, with all of its body.
    async fn letter(&self, letter: LetterRef) -> Result<Option<KeptLetter>, LedgerError>;

    /// For each of these bodies: whether its letter waits for an operator; none where there is no such
    /// letter.
    async fn letters_open(&self, bodies: &[Vec<u8>]) -> Result<Vec<Option<bool>>, LedgerError>;

    /// How many dead letters wait for an operator and how many outbox rows for being paid, and for how
    /// long.
    async fn backlog(&self) -> Result<Backlog, LedgerError>;

    /// Notes that `by` has the purchase of a letter settled again: publishing it is up to the caller,
    /// where something changed. Nothing where its order was settled already.
    async fn replay_letter(
        &self,
        letter: LetterRef,
        by: &Actor,
    ) -> Result<LetterMoved, LedgerError>;

    /// Gives a letter up: its parked order becomes `REJECTED(DISCARDED)`. Nothing where that was done
    /// already.
    async fn discard_letter(
        &self,
        letter: LetterRef,
        by: &Actor,
    ) -> Result<LetterMoved, LedgerError>;

    /// A page of the audit log.
    async fn audit_log(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, LedgerError>;

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
    async fn create_product(
        &self,
        new: &NewProduct,
        by: &Actor,
    ) -> Result<(Product, Announcement), LedgerError>;

    /// Changes a product. A limit set anew counts what was bought before.
    async fn change_product(
        &self,
        product: &ProductRef,
        change: &ProductChange,
        by: &Actor,
    ) -> Result<(Product, Announcement), LedgerError>;

    /// Adds `delta` units (negative: withdraws unsold ones), noting `by` did it.
    async fn restock(
        &self,
        product: &ProductRef,
        delta: i64,
        by: &Actor,
    ) -> Result<Announcement, LedgerError>;

    /// Plans a sale.
    async fn create_sale(
        &self,
        new: &NewSale,
        by: &Actor,
    ) -> Result<(Sale, Announcement), LedgerError>;

    /// Changes a sale that is neither over nor called off. A limit or quantity set anew counts what
    /// was taken before.
    async fn change_sale(
        &self,
        id: SaleId,
        change: &SaleChange,
        by: &Actor,
    ) -> Result<(Sale, Announcement), LedgerError>;

    /// Calls a sale off; nothing where it is already. What is not settled yet is refused from now
    /// on.
    async fn cancel_sale(
        &self,
        id: SaleId,
        by: &Actor,
    ) -> Result<(Sale, Option<Announcement>), LedgerError>;

    /// Sales by number, with the ledger's clock, by which their phase is judged.
    async fn sales(&self, query: &SaleQuery) -> Result<(Timestamp, Vec<Sale>), LedgerError>;

    /// Notes which sales have opened or closed since the last call and owes the news of it. Nothing
    /// else depends on it: a sale is open by its times alone.
    async fn note_phases(&self) -> Result<Option<Announcement>, LedgerError>;

    /// Everything that is counted beside what history adds up to. Reads all orders, four times over:
    /// on a big ledger that takes its time, but no locks.
    async fn audit(&self) -> Result<LedgerAudit, LedgerError>;
}
