//! A ledger with somebody in front of it, for tests of what goes wrong.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{
    Actor, Catalogue, Command, Order, Product, ProductId, ProductRef, Purchase, Sale, SaleId,
    StockLevel, Timestamp, TrackingId, TrackingKey,
};
use crate::ports::{
    Announcement, Answer, AuditEntry, AuditQuery, Backlog, Carried, DeadLetter, DueId, Expired,
    KeptLetter, Ledger, LedgerAudit, LedgerError, LetterMoved, LetterQuery, LetterRef, NewProduct,
    NewSale, OrderQuery, ProductChange, Pulse, Recorded, SaleChange, SaleQuery, UserKey,
};

/// Somebody who is asked before every call.
pub trait Guard: Send + Sync {
    /// An error is the answer of the call `name`.
    fn before(&self, name: &'static str) -> Result<(), LedgerError>;

    /// An answer is that of the settle; none lets the ledger decide.
    fn before_record(&self, batch: &[Purchase]) -> Option<Result<Recorded, LedgerError>> {
        let _ = batch;
        self.before("record").err().map(Err)
    }
}

/// A ledger behind a guard.
pub struct GuardedLedger<G> {
    /// The ledger.
    pub inner: Arc<dyn Ledger>,
    /// Who is asked first.
    pub guard: G,
}

macro_rules! guarded {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl<G: Guard> Ledger for GuardedLedger<G> {
            async fn record(
                &self,
                batch: &[Purchase],
                answers: &[Answer],
            ) -> Result<Recorded, LedgerError> {
                match self.guard.before_record(batch) {
                    Some(answer) => answer,
                    None => self.inner.record(batch, answers).await,
                }
            }
            $(
                async fn $name(&self, $($arg: $type),*) -> Result<$answer, LedgerError> {
                    self.guard.before(stringify!($name))?;
                    self.inner.$name($($arg),*).await
                }
            )+
        }
    };
}

guarded! {
    advance(commands: &[Command]) -> Carried;
    expire(limit: usize) -> Expired;
    orders_of(query: &OrderQuery) -> Vec<Order>;
    begin_attempt(id: TrackingId) -> u32;
    park(letter: &DeadLetter) -> Option<Announcement>;
    keep_dead_letter(letter: &DeadLetter) -> ();
    letters(query: &LetterQuery) -> Vec<KeptLetter>;
    letter(letter: LetterRef) -> Option<KeptLetter>;
    letters_open(bodies: &[Vec<u8>]) -> Vec<Option<bool>>;
    backlog() -> Backlog;
    replay_letter(letter: LetterRef, by: &Actor) -> LetterMoved;
    discard_letter(letter: LetterRef, by: &Actor) -> LetterMoved;
    audit_log(query: &AuditQuery) -> Vec<AuditEntry>;
    orders(ids: &[TrackingId]) -> Vec<Order>;
    orders_by_key(keys: &[UserKey]) -> Vec<Order>;
    catalogue() -> Catalogue;
    pulse() -> Pulse;
    stock(products: &[ProductId]) -> Vec<StockLevel>;
    tracking_key() -> TrackingKey;
    lease_dues(limit: usize) -> Vec<Announcement>;
    clear_dues(dues: &[DueId]) -> ();
    create_product(new: &NewProduct, by: &Actor) -> (Product, Announcement);
    change_product(product: &ProductRef, change: &ProductChange, by: &Actor) -> (Product, Announcement);
    restock(product: &ProductRef, delta: i64, by: &Actor) -> Announcement;
    create_sale(new: &NewSale, by: &Actor) -> (Sale, Announcement);
    change_sale(id: SaleId, change: &SaleChange, by: &Actor) -> (Sale, Announcement);
    cancel_sale(id: SaleId, by: &Actor) -> (Sale, Option<Announcement>);
    sales(query: &SaleQuery) -> (Timestamp, Vec<Sale>);
    note_phases() -> Option<Announcement>;
    audit() -> LedgerAudit;
}
