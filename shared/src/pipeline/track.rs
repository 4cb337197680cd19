//! Track: what became of a tracking ID? From the board, else the ledger, else the MAC.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

use super::group_commit::{Bounds, GroupCommit, LineError};
use super::key::KeyRing;
use crate::boards::{Boards, Watch};
use crate::domain::{Order, Status, TrackingId};
use crate::planted::planted;
use crate::ports::{Ledger, LedgerError};

/// Reads that wait for the ledger, IDs in one of them; reads under way at once.
const BOUNDS: Bounds = Bounds::patient(20_000, 512, 2);
/// A waiting client looks again this often, in case an announcement was lost.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// So does one whose purchase is sold, where nothing more is expected.
const LOOK_SELDOM: Duration = Duration::from_secs(30);

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
        let mut following = self.follow(id);
        loop {
            let tracked = following.look(Some(deadline)).await?;
            if tracked.order.status.is_decided() || Instant::now() >= deadline {
                return Ok(tracked);
            }
        }
    }

    /// Follows `id` from this moment on.
    pub fn follow(&self, id: TrackingId) -> Following {
        let watch = self.boards.outcomes.watch(id);
        Following { tracker: self.clone(), id, watch, news: None, shown: None }
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

/// A purchase that is followed.
pub struct Following {
    tracker: Tracker,
    id: TrackingId,
    /// Of the order that is shown: of a replay, its original.
    watch: Watch<TrackingId>,
    /// Once looked at: the next change, and when to look again without one.
    news: Option<(Pin<Box<OwnedNotified>>, Instant)>,
    /// The order that was shown last, at this version.
    shown: Option<(TrackingId, i64)>,
}

impl Following {
    /// What is known of it: at first now, then at the next change. After a failure it can be called
    /// again, and waits a little.
    pub async fn next(&mut self) -> Result<Tracked, TrackError> {
        loop {
            let tracked = self.look(None).await?;
            let (id, version) = (tracked.order.id, tracked.order.version);
            let new = self.shown.is_none_or(|(shown, at)| shown != id || at < version);
            if new {
                self.shown = Some((id, version));
                return Ok(tracked);
            }
        }
    }

    /// Looks: the first time at once, then when it may have changed, or at the deadline.
    async fn look(&mut self, deadline: Option<Instant>) -> Result<Tracked, TrackError> {
        if let Some((changed, again)) = &mut self.news {
            let until = deadline.map_or(*again, |deadline| deadline.min(*again));
            let _ = tokio::time::timeout_at(until, changed).await;
        }
        // Listen, then look: no change in between is missed.
        self.listen(LOOK_AGAIN);
        let tracked = self.tracker.look(self.id).await?;
        if tracked.order.id != self.watch.key() {
            // Its original may have changed before it was watched.
            self.watch = self.tracker.boards.outcomes.watch(tracked.order.id);
            self.listen(Duration::ZERO);
        } else if tracked.order.status == Status::Confirmed {
            self.news.as_mut().into_iter().for_each(|(_, again)| *again += LOOK_SELDOM);
        }
        Ok(tracked)
    }

    fn listen(&mut self, again: Duration) {
        self.news = Some((Box::pin(self.watch.changed()), Instant::now() + again));
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
