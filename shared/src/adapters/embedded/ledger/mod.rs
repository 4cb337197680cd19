//! The embedded ledger: one mutex around the domain functions.
//!
//! It passes the same suite as PostgreSQL, keeps everything in memory and nothing beyond the
//! process. Every call is over at once, so a `std` mutex is right, and none is held across an
//! await.

mod advance;
mod audit;
mod catalogue;
mod contents;
mod identities;
mod letters;
mod outbox;
mod rooms;
mod sales;
mod settle;
mod state;
#[cfg(any(test, feature = "testing"))]
mod tamper;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
pub use contents::Contents;
use state::State;
#[cfg(any(test, feature = "testing"))]
pub use tamper::Tamper;

use crate::domain::{
    Actor, Catalogue, Command, Order, Product, ProductId, ProductRef, Purchase, Sale, SaleId,
    StockLevel, Timestamp, TrackingId, TrackingKey,
};
use crate::planted::planted;
use crate::ports::{
    Announcement, Answer, AuditEntry, AuditQuery, Backlog, Carried, Clock, DeadLetter, Deed, DueId,
    Expired, KeptLetter, Ledger, LedgerAudit, LedgerError, LetterMoved, LetterQuery, LetterRef,
    NewProduct, NewSale, OrderQuery, ProductChange, Pulse, Recorded, SaleChange, SaleQuery,
    UserKey,
};

/// A ledger in memory.
pub struct EmbeddedLedger {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    tracking_key: TrackingKey,
}

impl EmbeddedLedger {
    /// An empty ledger with a tracking key of its own.
    #[allow(clippy::disallowed_methods)] // Nobody may guess it; programs can be given another.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let tracking_key = TrackingKey::new(rand::random());
        Self { state: Mutex::default(), clock, tracking_key }
    }

    /// Adds a sale as it is; for demonstrations and tests.
    pub fn add_sale(&self, sale: Sale) {
        self.state().add_sale(sale);
    }

    /// The stock of every product.
    pub fn levels(&self) -> Vec<StockLevel> {
        let (state, now) = (self.state(), self.clock.now());
        state.levels(state.products.keys().copied(), now)
    }

    /// A copy of everything.
    pub fn contents(&self) -> Contents {
        self.state().contents(self.clock.now())
    }

    /// A panic in the middle of a change would be a defect; what was stored before it still holds,
    /// as it would after the crash of a server.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for EmbeddedLedger {
    /// The answers say which rows are worth a lock; here there is only one lock.
    async fn record(
        &self,
        batch: &[Purchase],
        _answers: &[Answer],
    ) -> Result<Recorded, LedgerError> {
        self.state().record(batch, self.clock.now())
    }

    async fn advance(&self, commands: &[Command]) -> Result<Carried, LedgerError> {
        Ok(self.state().advance(commands, self.clock.now()))
    }

    async fn expire(&self, limit: usize) -> Result<Expired, LedgerError> {
        let early_ms = if planted("sweep-too-early") { 1_000 } else { 0 };
        Ok(self.state().expire(limit, self.clock.now().plus_millis(early_ms)))
    }

    async fn orders_of(&self, query: &OrderQuery) -> Result<Vec<Order>, LedgerError> {
        Ok(self.state().orders_of(query))
    }

    async fn begin_attempt(&self, id: TrackingId) -> Result<u32, LedgerError> {
        let mut state = self.state();
        let attempts = state.attempts.entry(id).or_default();
        *attempts += 1;
        Ok(*attempts)
    }

    async fn park(&self, letter: &DeadLetter) -> Result<Option<Announcement>, LedgerError> {
        Ok(self.state().park(letter, self.clock.now()))
    }

    async fn keep_dead_letter(&self, letter: &DeadLetter) -> Result<(), LedgerError> {
        self.state().keep(letter, 0, self.clock.now());
        Ok(())
    }

    async fn letters(&self, query: &LetterQuery) -> Result<Vec<KeptLetter>, LedgerError> {
        Ok(self.state().list_letters(query))
    }

    async fn letter(&self, letter: LetterRef) -> Result<Option<KeptLetter>, LedgerError> {
        Ok(self.state().letter(letter))
    }

    async fn letters_open(&self, bodies: &[Vec<u8>]) -> Result<Vec<Option<bool>>, LedgerError> {
        Ok(self.state().letters_open(bodies))
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let (state, now) = (self.state(), self.clock.now());
        Ok(Backlog { letters: state.letters_waiting(now), dues: state.dues_waiting(now) })
    }

    async fn replay_letter(
        &self,
        letter: LetterRef,
        by: &Actor,
    ) -> Result<LetterMoved, LedgerError> {
        self.state().replay_letter(letter, by, self.clock.now())
    }

    async fn discard_letter(
        &self,
        letter: LetterRef,
        by: &Actor,
    ) -> Result<LetterMoved, LedgerError> {
        self.state().discard_letter(letter, by, self.clock.now())
    }

    async fn audit_log(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, LedgerError> {
        Ok(self.state().audit_log(query))
    }

    async fn orders(&self, ids: &[TrackingId]) -> Result<Vec<Order>, LedgerError> {
        let state = self.state();
        Ok(ids.iter().filter_map(|id| state.orders.get(id).cloned()).collect())
    }

    async fn orders_by_key(&self, keys: &[UserKey]) -> Result<Vec<Order>, LedgerError> {
        let state = self.state();
        let owners = keys.iter().filter_map(|key| state.keys.get(key));
        Ok(owners.filter_map(|(id, _)| state.orders.get(id).cloned()).collect())
    }

    async fn catalogue(&self) -> Result<Catalogue, LedgerError> {
        Ok(self.state().catalogue(self.clock.now()))
    }

    async fn pulse(&self) -> Result<Pulse, LedgerError> {
        let (state, now) = (self.state(), self.clock.now());
        let active = state.products.values().filter(|product| product.active);
        let levels = active.filter_map(|product| state.level(product.id, now)).collect();
        Ok(Pulse { now, catalogue_version: state.catalogue_version(), levels })
    }

    async fn stock(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, LedgerError> {
        let (state, now) = (self.state(), self.clock.now());
        Ok(products.iter().filter_map(|id| state.level(*id, now)).collect())
    }

    async fn tracking_key(&self) -> Result<TrackingKey, LedgerError> {
        Ok(self.tracking_key.clone())
    }

    async fn lease_dues(&self, limit: usize) -> Result<Vec<Announcement>, LedgerError> {
        Ok(self.state().lease(limit, self.clock.now()))
    }

    async fn clear_dues(&self, dues: &[DueId]) -> Result<(), LedgerError> {
        let mut state = self.state();
        for due in dues {
            state.dues.remove(due);
        }
        Ok(())
    }

    async fn create_product(
        &self,
        new: &NewProduct,
        by: &Actor,
    ) -> Result<(Product, Announcement), LedgerError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let (product, announcement) = state.create(new, now)?;
        state.note(now, by, Deed::product_created(&product, new.total));
        Ok((product, announcement))
    }

    async fn change_product(
        &self,
        product: &ProductRef,
        change: &ProductChange,
        by: &Actor,
    ) -> Result<(Product, Announcement), LedgerError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let (product, announcement) = state.change(product, change, now)?;
        state.note(now, by, Deed::product_changed(&product));
        Ok((product, announcement))
    }

    async fn restock(
        &self,
        product: &ProductRef,
        delta: i64,
        by: &Actor,
    ) -> Result<Announcement, LedgerError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let id = state.find(product)?;
        let announcement = state.restock(product, delta, now)?;
        state.note(now, by, Deed::stock_moved(id, delta));
        Ok(announcement)
    }

    async fn create_sale(
        &self,
        new: &NewSale,
        by: &Actor,
    ) -> Result<(Sale, Announcement), LedgerError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let (sale, announcement) = state.create_sale(new, now)?;
        state.note(now, by, Deed::sale_planned(&sale));
        Ok((sale, announcement))
    }

    async fn change_sale(
        &self,
        id: SaleId,
        change: &SaleChange,
        by: &Actor,
    ) -> Result<(Sale, Announcement), LedgerError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let (sale, announcement) = state.change_sale(id, change, now)?;
        state.note(now, by, Deed::sale_changed(&sale));
        Ok((sale, announcement))
    }

    async fn cancel_sale(
        &self,
        id: SaleId,
        by: &Actor,
    ) -> Result<(Sale, Option<Announcement>), LedgerError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let (sale, announcement) = state.cancel_sale(id, now)?;
        if announcement.is_some() {
            state.note(now, by, Deed::sale_called_off(&sale));
        }
        Ok((sale, announcement))
    }

    async fn sales(&self, query: &SaleQuery) -> Result<(Timestamp, Vec<Sale>), LedgerError> {
        let (state, now) = (self.state(), self.clock.now());
        Ok((now, state.list_sales(query, now)))
    }

    async fn note_phases(&self) -> Result<Option<Announcement>, LedgerError> {
        Ok(self.state().note_phases(self.clock.now()))
    }

    async fn audit(&self) -> Result<LedgerAudit, LedgerError> {
        Ok(self.state().audit(self.clock.now()))
    }
}
