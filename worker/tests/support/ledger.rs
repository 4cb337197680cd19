//! A ledger that can be away, and that refuses the purchases of a user called `poison`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use shared::domain::{
    Catalogue, Order, Product, ProductId, ProductRef, Purchase, StockLevel, TrackingId, TrackingKey,
};
use shared::ports::{
    Announcement, Answer, DeadLetter, DueId, Ledger, LedgerAudit, LedgerError, NewProduct,
    ProductChange, Pulse, Recorded, UserKey,
};
use shared::testing::eventually;

pub(crate) struct FaultyLedger {
    inner: Arc<dyn Ledger>,
    away: AtomicBool,
    /// Batches that came while it was away.
    asked: AtomicU32,
}

impl FaultyLedger {
    pub(crate) fn new(inner: Arc<dyn Ledger>) -> Self {
        Self { inner, away: AtomicBool::new(false), asked: AtomicU32::new(0) }
    }

    pub(crate) fn outage(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Waits until a batch was tried again during the outage.
    pub(crate) async fn was_asked_again(&self) {
        eventually("the batch is tried again", async || {
            (self.asked.load(Ordering::SeqCst) >= 2).then_some(())
        })
        .await;
    }

    fn check(&self, batch: &[Purchase]) -> Result<(), LedgerError> {
        if self.away.load(Ordering::SeqCst) {
            self.asked.fetch_add(u32::from(!batch.is_empty()), Ordering::SeqCst);
            return Err(LedgerError::Unavailable("an outage".into()));
        }
        if batch.iter().any(|purchase| purchase.terms.user_id.as_str() == "poison") {
            return Err(LedgerError::Poison("a value it cannot store".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl Ledger for FaultyLedger {
    async fn record(
        &self,
        batch: &[Purchase],
        answers: &[Answer],
    ) -> Result<Recorded, LedgerError> {
        self.check(batch)?;
        self.inner.record(batch, answers).await
    }
    async fn begin_attempt(&self, id: TrackingId) -> Result<u32, LedgerError> {
        self.check(&[])?;
        self.inner.begin_attempt(id).await
    }
    async fn park(&self, letter: &DeadLetter) -> Result<Option<Announcement>, LedgerError> {
        self.check(&[])?;
        self.inner.park(letter).await
    }
    async fn keep_dead_letter(&self, letter: &DeadLetter) -> Result<(), LedgerError> {
        self.inner.keep_dead_letter(letter).await
    }
    async fn orders(&self, ids: &[TrackingId]) -> Result<Vec<Order>, LedgerError> {
        self.inner.orders(ids).await
    }
    async fn orders_by_key(&self, keys: &[UserKey]) -> Result<Vec<Order>, LedgerError> {
        self.inner.orders_by_key(keys).await
    }
    async fn catalogue(&self) -> Result<Catalogue, LedgerError> {
        self.inner.catalogue().await
    }
    async fn pulse(&self) -> Result<Pulse, LedgerError> {
        self.check(&[])?;
        self.inner.pulse().await
    }
    async fn stock(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, LedgerError> {
        self.inner.stock(products).await
    }
    async fn tracking_key(&self) -> Result<TrackingKey, LedgerError> {
        self.inner.tracking_key().await
    }
    async fn lease_dues(&self, limit: usize) -> Result<Vec<Announcement>, LedgerError> {
        self.inner.lease_dues(limit).await
    }
    async fn clear_dues(&self, dues: &[DueId]) -> Result<(), LedgerError> {
        self.inner.clear_dues(dues).await
    }
    async fn create_product(&self, new: &NewProduct) -> Result<(Product, StockLevel), LedgerError> {
        self.inner.create_product(new).await
    }
    async fn change_product(
        &self,
        product: &ProductRef,
        change: &ProductChange,
    ) -> Result<(Product, StockLevel), LedgerError> {
        self.inner.change_product(product, change).await
    }
    async fn restock(
        &self,
        product: &ProductRef,
        delta: i64,
        who: &str,
    ) -> Result<StockLevel, LedgerError> {
        self.inner.restock(product, delta, who).await
    }
    async fn audit(&self) -> Result<LedgerAudit, LedgerError> {
        self.inner.audit().await
    }
}
