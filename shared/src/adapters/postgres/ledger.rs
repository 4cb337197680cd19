//! The port, method by method.
//!
//! Whatever holds locks runs as a task of its own, to its end: a transaction whose future is
//! dropped with the client that waited for it would keep its locks until the server times out.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use super::connect::Connector;
use super::errors::Fault;
use super::pool::SessionPool;
use super::record::{self, Batch};
use super::suspects::Suspects;
use super::transaction::transaction;
use super::{advance, audit, audit_log, catalogue, dead_letters, letters, outbox, reads, sales};
use crate::config;
use crate::domain::{
    Actor, Catalogue, Command, Order, Product, ProductId, ProductRef, Purchase, Sale, SaleId,
    StockLevel, Timestamp, TrackingId, TrackingKey,
};
use crate::ports::{
    Announcement, Answer, AuditEntry, AuditQuery, Backlog, Carried, DeadLetter, DueId, Expired,
    KeptLetter, Ledger, LedgerAudit, LedgerError, LetterMoved, LetterQuery, LetterRef, NewProduct,
    NewSale, OrderQuery, ProductChange, Pulse, Recorded, SaleChange, SaleQuery, UserKey,
};

/// The ledger in PostgreSQL.
pub struct PostgresLedger {
    pub(super) pool: SessionPool,
    suspects: Arc<Suspects>,
}

impl PostgresLedger {
    /// A ledger that connects when it is first used: the server need not be there yet. An error
    /// means that the settings cannot work.
    pub fn connect(settings: &config::Postgres) -> Result<Self, LedgerError> {
        let connector = Connector::new(settings).map_err(LedgerError::Unavailable)?;
        let pool = SessionPool::new(connector, settings);
        Ok(Self { pool, suspects: Arc::default() })
    }
}

/// Runs `work` to its end, whatever becomes of the caller.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, LedgerError> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome.map_err(LedgerError::from),
        Err(error) => Err(LedgerError::Unavailable(format!("the ledger's task failed: {error}"))),
    }
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn record(
        &self,
        batch: &[Purchase],
        answers: &[Answer],
    ) -> Result<Recorded, LedgerError> {
        let (pool, suspects) = (self.pool.clone(), self.suspects.clone());
        let batch = Batch { purchases: batch.to_vec(), answers: answers.to_vec() };
        to_its_end(async move { record::record(&pool, &batch, &suspects).await }).await
    }

    async fn advance(&self, commands: &[Command]) -> Result<Carried, LedgerError> {
        let (pool, commands) = (self.pool.clone(), commands.to_vec());
        to_its_end(
            async move { transaction!(pool, |session| advance::advance(session, &commands)) },
        )
        .await
    }

    async fn expire(&self, limit: usize) -> Result<Expired, LedgerError> {
        let pool = self.pool.clone();
        to_its_end(async move { transaction!(pool, |session| advance::expire(session, limit)) })
            .await
    }

    async fn orders_of(&self, query: &OrderQuery) -> Result<Vec<Order>, LedgerError> {
        let session = self.pool.get().await?;
        Ok(reads::orders_of(&session, query).await?)
    }

    async fn begin_attempt(&self, id: TrackingId) -> Result<u32, LedgerError> {
        let session = self.pool.get().await?;
        Ok(self.suspects.begin_attempt(&session, id).await?)
    }

    async fn park(&self, letter: &DeadLetter) -> Result<Option<Announcement>, LedgerError> {
        let (pool, suspects, letter) = (self.pool.clone(), self.suspects.clone(), letter.clone());
        to_its_end(async move {
            let parked = transaction!(pool, |session| dead_letters::park(session, &letter))?;
            suspects.forget(letter.order_id);
            Ok(parked)
        })
        .await
    }

    async fn keep_dead_letter(&self, letter: &DeadLetter) -> Result<(), LedgerError> {
        let session = self.pool.get().await?;
        Ok(dead_letters::keep(&session, letter).await?)
    }

    async fn letters(&self, query: &LetterQuery) -> Result<Vec<KeptLetter>, LedgerError> {
        let session = self.pool.get().await?;
        Ok(letters::list(&session, query).await?)
    }

    async fn letter(&self, letter: LetterRef) -> Result<Option<KeptLetter>, LedgerError> {
        let session = self.pool.get().await?;
        Ok(letters::find(&session, letter).await?)
    }

    async fn letters_open(&self, bodies: &[Vec<u8>]) -> Result<Vec<Option<bool>>, LedgerError> {
        let session = self.pool.get().await?;
        Ok(letters::open(&session, bodies).await?)
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let session = self.pool.get().await?;
        let (letters, dues) =
            futures::try_join!(letters::waiting(&session), outbox::waiting(&session))?;
        Ok(Backlog { letters, dues })
    }

    async fn replay_letter(
        &self,
        letter: LetterRef,
        by: &Actor,
    ) -> Result<LetterMoved, LedgerError> {
        let (pool, by) = (self.pool.clone(), by.clone());
        to_its_end(
            async move { transaction!(pool, |session| letters::replay(session, letter, &by)) },
        )
        .await
    }

    async fn discard_letter(
        &self,
        letter: LetterRef,
        by: &Actor,
    ) -> Result<LetterMoved, LedgerError> {
        let (pool, by) = (self.pool.clone(), by.clone());
        to_its_end(
            async move { transaction!(pool, |session| letters::discard(session, letter, &by)) },
        )
        .await
    }

    async fn audit_log(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, LedgerError> {
        let session = self.pool.get().await?;
        Ok(audit_log::read(&session, query).await?)
    }

    async fn orders(&self, ids: &[TrackingId]) -> Result<Vec<Order>, LedgerError> {
        let session = self.pool.get().await?;
        Ok(reads::orders(&session, ids).await?)
    }

    async fn orders_by_key(&self, keys: &[UserKey]) -> Result<Vec<Order>, LedgerError> {
        let session = self.pool.get().await?;
        Ok(reads::orders_by_key(&session, keys).await?)
    }

    async fn catalogue(&self) -> Result<Catalogue, LedgerError> {
        let mut session = self.pool.get().await?;
        session.begin_snapshot().await?;
        let catalogue = reads::catalogue(&session).await;
        Ok(session.finish(catalogue).await?)
    }

    async fn pulse(&self) -> Result<Pulse, LedgerError> {
        let mut session = self.pool.get().await?;
        session.begin_snapshot().await?;
        let pulse = reads::pulse(&session).await;
        Ok(session.finish(pulse).await?)
    }

    async fn stock(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, LedgerError> {
        let session = self.pool.get().await?;
        Ok(reads::stock(&session, products).await?)
    }

    async fn tracking_key(&self) -> Result<TrackingKey, LedgerError> {
        let session = self.pool.get().await?;
        Ok(reads::tracking_key(&session).await?)
    }

    async fn lease_dues(&self, limit: usize) -> Result<Vec<Announcement>, LedgerError> {
        let session = self.pool.get().await?;
        Ok(outbox::lease(&session, limit).await?)
    }

    async fn clear_dues(&self, dues: &[DueId]) -> Result<(), LedgerError> {
        let session = self.pool.get().await?;
        Ok(outbox::clear(&session, dues).await?)
    }

    async fn create_product(
        &self,
        new: &NewProduct,
        by: &Actor,
    ) -> Result<(Product, Announcement), LedgerError> {
        let (pool, new, by) = (self.pool.clone(), new.clone(), by.clone());
        to_its_end(
            async move { transaction!(pool, |session| catalogue::create(session, &new, &by)) },
        )
        .await
    }

    async fn change_product(
        &self,
        product: &ProductRef,
        change: &ProductChange,
        by: &Actor,
    ) -> Result<(Product, Announcement), LedgerError> {
        let (pool, by) = (self.pool.clone(), by.clone());
        let (product, change) = (product.clone(), change.clone());
        to_its_end(async move {
            transaction!(pool, |session| catalogue::change(session, &product, &change, &by))
        })
        .await
    }

    async fn restock(
        &self,
        product: &ProductRef,
        delta: i64,
        by: &Actor,
    ) -> Result<Announcement, LedgerError> {
        let (pool, product, by) = (self.pool.clone(), product.clone(), by.clone());
        to_its_end(async move {
            transaction!(pool, |session| catalogue::restock(session, &product, delta, &by))
        })
        .await
    }

    async fn create_sale(
        &self,
        new: &NewSale,
        by: &Actor,
    ) -> Result<(Sale, Announcement), LedgerError> {
        let (pool, new, by) = (self.pool.clone(), new.clone(), by.clone());
        to_its_end(async move { transaction!(pool, |session| sales::create(session, &new, &by)) })
            .await
    }

    async fn change_sale(
        &self,
        id: SaleId,
        change: &SaleChange,
        by: &Actor,
    ) -> Result<(Sale, Announcement), LedgerError> {
        let (pool, change, by) = (self.pool.clone(), change.clone(), by.clone());
        to_its_end(
            async move { transaction!(pool, |session| sales::change(session, id, &change, &by)) },
        )
        .await
    }

    async fn cancel_sale(
        &self,
        id: SaleId,
        by: &Actor,
    ) -> Result<(Sale, Option<Announcement>), LedgerError> {
        let (pool, by) = (self.pool.clone(), by.clone());
        to_its_end(async move { transaction!(pool, |session| sales::cancel(session, id, &by)) })
            .await
    }

    async fn sales(&self, query: &SaleQuery) -> Result<(Timestamp, Vec<Sale>), LedgerError> {
        let session = self.pool.get().await?;
        Ok(sales::list(&session, query).await?)
    }

    async fn note_phases(&self) -> Result<Option<Announcement>, LedgerError> {
        let pool = self.pool.clone();
        to_its_end(async move { transaction!(pool, |session| sales::note_phases(session)) }).await
    }

    async fn audit(&self) -> Result<LedgerAudit, LedgerError> {
        let mut session = self.pool.get().await?;
        session.begin_snapshot().await?;
        let audit = audit::audit(&session).await;
        Ok(session.finish(audit).await?)
    }
}
