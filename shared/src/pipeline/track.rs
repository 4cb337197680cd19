//! Track: what became of a tracking ID? From the board, else the ledger, else the MAC.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::group_commit::{Bounds, GroupCommit, LineError};
use super::key::KeyRing;
use crate::boards::Boards;
use crate::domain::{Order, TrackingId};
use crate::planted::planted;
use crate::ports::{Ledger, LedgerError};

/// Reads that wait for the ledger, IDs in one of them; reads under way at once.
const BOUNDS: Bounds = Bounds::patient(20_000, 512, 2);
/// A waiting client looks again this often, in case an announcement was lost.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Why nothing can be said of an ID.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrackError {
    /// It was never issued.
    #[error("this tracking ID was never issued")]
    NeverIssued,
    /// The ledger is away and the board does not know.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Too many reads wait.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// What is known of an ID.
#[derive(Debug, Clone)]
pub struct Tracked {
    /// The order; of a replay, its original.
    pub order: Arc<Order>,
    /// Set for a replay: the original's ID.
    pub replay_of: Option<TrackingId>,
}

type Read = Result<Option<Arc<Order>>, LedgerError>;

/// Looks tracking IDs up.
#[derive(Clone)]
pub struct Tracker {
    boards: Arc<Boards>,
    keys: Arc<KeyRing>,
    reads: GroupCommit<TrackingId, Read>,
}

impl Tracker {
    /// A tracker that reads `ledger` in batches where the boards do not know.
    pub fn new(boards: Arc<Boards>, keys: Arc<KeyRing>, ledger: Arc<dyn Ledger>) -> Self {
        let learning = Arc::clone(&boards);
        let reads = GroupCommit::start(BOUNDS, move |ids| {
            read(Arc::clone(&ledger), Arc::clone(&learning), ids)
        });
        Self { boards, keys, reads }
    }

    /// What is known of `id` now.
    pub async fn look(&self, id: TrackingId) -> Result<Tracked, TrackError> {
        let order = self.order(id).await?;
        match order.replay_of {
            None => Ok(Tracked { order, replay_of: None }),
            Some(original) => {
                let order = self.order(original).await?;
                Ok(Tracked { order, replay_of: Some(original) })
            }
        }
    }

    /// Waits until `id` is decided, `limit` at most; what is known of it then.
    pub async fn wait(&self, id: TrackingId, limit: Duration) -> Result<Tracked, TrackError> {
        let deadline = Instant::now() + limit;
        let watch = self.boards.outcomes.watch(id);
        loop {
            let changed = watch.changed();
            let tracked = self.look(id).await?;
            let now = Instant::now();
            if tracked.order.status.is_decided() || now >= deadline {
                return Ok(tracked);
            }
            // Whether it changed or the time is up: look again.
            let _ = tokio::time::timeout_at(deadline.min(now + LOOK_AGAIN), changed).await;
        }
    }

    /// The order as it is stored, with its payment, which boards do not keep; of a replay, its
    /// original.
    pub async fn read(&self, id: TrackingId) -> Result<Arc<Order>, TrackError> {
        let order = self.stored(id).await?;
        match order.replay_of {
            None => Ok(order),
            Some(original) => self.stored(original).await,
        }
    }

    async fn order(&self, id: TrackingId) -> Result<Arc<Order>, TrackError> {
        if let Some(order) = self.boards.outcomes.get(id) {
            return Ok(order);
        }
        self.stored(id).await
    }

    async fn stored(&self, id: TrackingId) -> Result<Arc<Order>, TrackError> {
        if let Some(order) = self.reads.submit(id).await?? {
            return Ok(order);
        }
        // Nothing stored: the MAC tells "issued, not yet settled" from "never issued".
        let Some(minter) = self.keys.minter() else {
            let unknown = "the tracking key is not loaded yet".into();
            return Err(LedgerError::Unavailable(unknown).into());
        };
        let issued = minter.key().verify(id) && !planted("unknown-until-settled");
        if issued { Ok(Arc::new(Order::queued(id))) } else { Err(TrackError::NeverIssued) }
    }
}

async fn read(ledger: Arc<dyn Ledger>, boards: Arc<Boards>, ids: Vec<TrackingId>) -> Vec<Read> {
    let began = Instant::now();
    match ledger.orders(&ids).await {
        Ok(orders) => {
            let found: HashMap<_, _> =
                orders.into_iter().map(|order| (order.id, Arc::new(order))).collect();
            boards.outcomes.learn(ids.iter().filter_map(|id| found.get(id)), began);
            ids.iter().map(|id| Ok(found.get(id).cloned())).collect()
        }
        Err(error) => ids.iter().map(|_| Err(error.clone())).collect(),
    }
}
