//! Isolation: purchases settled one per transaction, each with a durable count of attempts, so
//! that one that cannot be settled costs its neighbours nothing and ends up parked.

use std::collections::HashSet;

use metrics::counter;
use shared::domain::{Purchase, TrackingId};
use shared::failpoints;
use shared::planted::planted;
use shared::ports::{DeadLetter, LedgerError};
use tracing::error;

use crate::backoff::{Backoff, Stopped};
use crate::consume::Consumer;

/// Attempts before a purchase is parked. Counted before each one, so that a purchase which kills
/// its worker is counted too.
const ATTEMPTS_MAX: u32 = 3;

impl Consumer {
    /// Settles each purchase on its own; afterwards each one is settled or parked. Those that are
    /// already (a worker died after settling some of them) are passed over.
    pub(crate) async fn settle_alone(&self, purchases: &[Purchase]) -> Result<(), Stopped> {
        let standing = self.standing(purchases).await?;
        for purchase in purchases {
            if !standing.contains(&purchase.id) {
                self.settle_one(purchase).await?;
            }
        }
        Ok(())
    }

    /// Which of these have an outcome that settling again would not change.
    async fn standing(&self, purchases: &[Purchase]) -> Result<HashSet<TrackingId>, Stopped> {
        let first_time = purchases.iter().filter(|purchase| !purchase.replayed);
        let ids: Vec<TrackingId> = first_time.map(|purchase| purchase.id).collect();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let mut backoff = Backoff::new(self.shutdown.clone());
        loop {
            match self.ledger.orders(&ids).await {
                Ok(orders) => return Ok(orders.into_iter().map(|order| order.id).collect()),
                Err(error) => backoff.after(&error).await?,
            }
        }
    }

    async fn settle_one(&self, purchase: &Purchase) -> Result<(), Stopped> {
        let mut last_error = "it was in hand whenever a worker died".to_owned();
        let mut begun = 0;
        while begun < ATTEMPTS_MAX {
            begun = self.begin_attempt(purchase).await?;
            if begun > ATTEMPTS_MAX {
                break;
            }
            match self.attempt(purchase).await? {
                Ok(()) => return Ok(()),
                Err(error) => last_error = error,
            }
        }
        self.park(purchase, last_error).await
    }

    async fn begin_attempt(&self, purchase: &Purchase) -> Result<u32, Stopped> {
        let mut backoff = Backoff::new(self.shutdown.clone());
        loop {
            match self.ledger.begin_attempt(purchase.id).await {
                Ok(attempt) => return Ok(attempt),
                Err(error) => backoff.after(&error).await?,
            }
        }
    }

    /// One attempt: settled, or the fault that is the purchase's own. Outages are waited out.
    async fn attempt(&self, purchase: &Purchase) -> Result<Result<(), String>, Stopped> {
        let mut backoff = Backoff::new(self.shutdown.clone());
        loop {
            match self.settler.settle(std::slice::from_ref(purchase)).await {
                Ok(_) => return Ok(Ok(())),
                Err(LedgerError::Poison(error)) => return Ok(Err(error)),
                Err(error) => backoff.after(&error).await?,
            }
        }
    }

    /// Parking writes to the same ledger, so it succeeds only where the purchase was to blame.
    async fn park(&self, purchase: &Purchase, reason: String) -> Result<(), Stopped> {
        error!(order_id = %purchase.id, reason, "a purchase is parked for an operator");
        counter!("doorbuster_parked_total").increment(1);
        let letter = DeadLetter::parked(purchase, reason);
        let mut backoff = Backoff::new(self.shutdown.clone());
        loop {
            if planted("park-without-row") {
                return Ok(());
            }
            match self.ledger.park(&letter).await {
                Ok(owed) => {
                    failpoints::reach("park.recorded").await;
                    if let Some(announcement) = owed {
                        self.relay.offer(announcement);
                    }
                    return Ok(());
                }
                Err(error) => backoff.after(&error).await?,
            }
        }
    }
}
