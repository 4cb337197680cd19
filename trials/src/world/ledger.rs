//! A tap on the ledger.

use async_trait::async_trait;
use shared::domain::{
    Actor, Catalogue, Command, Order, Product, ProductId, ProductRef, Purchase, Sale, SaleId,
    StockLevel, Timestamp, TrackingId, TrackingKey,
};
use shared::ports::{
    Announcement, Answer, AuditEntry, AuditQuery, Backlog, Carried, DeadLetter, DueId, Expired,
    KeptLetter, Ledger, LedgerAudit, LedgerError, LetterMoved, LetterQuery, LetterRef, NewProduct,
    NewSale, OrderQuery, ProductChange, Pulse, Recorded, SaleChange, SaleQuery, UserKey,
};

use super::{Call, Tap};

pub(super) struct TappedLedger(pub(super) Tap);

fn outage(why: &str) -> LedgerError {
    LedgerError::Unavailable(why.into())
}

/// Declares methods that are tapped and otherwise the ledger's own; all but `record`.
macro_rules! tapped {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)+) => {
        #[async_trait]
        impl Ledger for TappedLedger {
            async fn record(
                &self,
                batch: &[Purchase],
                answers: &[Answer],
            ) -> Result<Recorded, LedgerError> {
                let Self(tap) = self;
                let deed = async {
                    if tap.world.director.poisons(batch) {
                        return Err(LedgerError::Poison("simulated: cannot be written".into()));
                    }
                    tap.world.ledger.record(batch, answers).await
                };
                tap.call(Call::Ledger("record"), outage, deed).await
            }

            $(async fn $name(&self, $($argument: $type),*) -> Result<$result, LedgerError> {
                let Self(tap) = self;
                let deed = tap.world.ledger.$name($($argument),*);
                tap.call(Call::Ledger(stringify!($name)), outage, deed).await
            })+
        }
    };
}

tapped! {
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
