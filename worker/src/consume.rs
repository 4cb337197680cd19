//! The consume loop: take a micro-batch, settle it, acknowledge it at COMMIT.
//!
//! In an outage the batch waits in hand, unacknowledged: never a requeue loop. When the consumer
//! itself breaks, everything in hand is dropped (the broker delivers it again) and a new one is
//! attached.

use std::sync::Arc;

use metrics::{counter, histogram};
use shared::domain::Purchase;
use shared::failpoints;
use shared::pipeline::key::KeyRing;
use shared::pipeline::relay::Relay;
use shared::pipeline::settle::Settler;
use shared::planted::planted;
use shared::ports::{Deliveries, Delivery, Ledger, LedgerError, PurchaseQueue, QueueError};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::backoff::{Backoff, Stopped};
use crate::gather::{Batch, gather};

/// One consumer of the purchase queue.
pub struct Consumer {
    /// Where purchases come from.
    pub queue: Arc<dyn PurchaseQueue>,
    /// Where attempts are counted and purchases parked.
    pub ledger: Arc<dyn Ledger>,
    /// What settles them.
    pub settler: Settler,
    /// Announces what was parked.
    pub relay: Relay,
    /// Tells purchases from forgeries.
    pub keys: Arc<KeyRing>,
    /// Purchases in one transaction.
    pub batch_max: usize,
    /// Ends it after the batch in hand.
    pub shutdown: CancellationToken,
}

/// Why a consumer ended.
pub(crate) enum End {
    /// The program stops; nothing settled is left unacknowledged.
    Stopped,
    /// The consumer broke; what was in hand comes again.
    Broken(QueueError),
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<QueueError> for End {
    fn from(error: QueueError) -> Self {
        Self::Broken(error)
    }
}

impl Consumer {
    /// Consumes until the shutdown.
    pub async fn run(self) {
        let mut backoff = Backoff::new(self.shutdown.clone());
        loop {
            let Err(end) = self.attach(&mut backoff).await;
            let End::Broken(error) = end else { return };
            counter!("doorbuster_consumer_failures_total").increment(1);
            warn!(%error, "the consumer broke; attaching a new one");
            if backoff.pause().await.is_err() {
                return;
            }
        }
    }

    async fn attach(&self, backoff: &mut Backoff) -> Result<std::convert::Infallible, End> {
        let attached = self.shutdown.run_until_cancelled(self.queue.consume()).await;
        let mut deliveries = attached.ok_or(End::Stopped)??;
        info!("consuming purchases");
        backoff.reset();
        loop {
            let next = self.shutdown.run_until_cancelled(deliveries.next()).await;
            self.process(next.ok_or(End::Stopped)??, &mut *deliveries).await?;
        }
    }

    /// Carries one micro-batch from the first delivery to the last acknowledgement.
    async fn process(&self, first: Delivery, deliveries: &mut dyn Deliveries) -> Result<(), End> {
        let batch = gather(first, deliveries, &self.keys, self.batch_max);
        histogram!("doorbuster_consume_batch_size").record(batch.purchases.len() as f64);
        let Batch { purchases, suspects, mut last, garbage, forged } = batch;
        if planted("ack-before-commit")
            && let Some(last) = last.take()
        {
            last.ack_through().await?;
        }
        for letter in &forged {
            counter!("doorbuster_forged_total").increment(1);
            error!(error = letter.error, "kept as a dead letter; do all programs share one key?");
            let mut backoff = Backoff::new(self.shutdown.clone());
            while let Err(error) = self.ledger.keep_dead_letter(letter).await {
                backoff.after(&error).await?;
            }
        }
        self.settle(&purchases).await?;
        self.settle_alone(&suspects).await?;
        for receipt in garbage {
            counter!("doorbuster_undecodable_total").increment(1);
            warn!("a message that cannot be decoded goes to the dead-letter queue");
            receipt.reject().await?;
        }
        // With what was rejected out of the way, all that came before the last one is settled.
        if let Some(last) = last {
            last.ack_through().await?;
            failpoints::reach("worker.acked").await;
        }
        Ok(())
    }

    async fn settle(&self, purchases: &[Purchase]) -> Result<(), End> {
        if purchases.is_empty() {
            return Ok(());
        }
        let mut backoff = Backoff::new(self.shutdown.clone());
        loop {
            match self.settler.settle(purchases).await {
                Ok(_) => return Ok(()),
                Err(LedgerError::Poison(error)) => {
                    warn!(error, "the batch is settled one purchase at a time");
                    return Ok(self.settle_alone(purchases).await?);
                }
                Err(error) => backoff.after(&error).await?,
            }
        }
    }
}
