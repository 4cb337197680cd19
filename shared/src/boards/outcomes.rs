//! The outcome board: a bounded ring of recently decided orders, and those who wait for them.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::Instant;

use super::watchers::{Watch, Watchers};
use crate::domain::{Order, SaleId, Status, Timestamp, TrackingId, UserId};
use crate::planted::planted;

/// Buyers that a listener may be behind.
const SOLD_MAX: usize = 16_384;

/// Recently decided orders.
#[derive(Debug)]
pub struct OutcomeBoard {
    fresh: Duration,
    max: usize,
    inner: Mutex<Inner>,
    watchers: Arc<Watchers<TrackingId>>,
    /// Who got units of a sale, for whoever listens.
    sold: broadcast::Sender<(SaleId, UserId)>,
}

#[derive(Debug, Default)]
struct Inner {
    orders: HashMap<TrackingId, Seen>,
    ring: VecDeque<TrackingId>,
    /// Acceptance of the latest purchase known to be settled: what waits in the queue is younger.
    settled_through: Option<Timestamp>,
}

#[derive(Debug)]
struct Seen {
    order: Arc<Order>,
    at: Instant,
}

impl OutcomeBoard {
    /// A board of at most `max` orders; one that is not terminal is served for `fresh`.
    pub fn new(max: NonZeroUsize, fresh: Duration) -> Self {
        let sold = broadcast::Sender::new(SOLD_MAX);
        let (inner, watchers) = (Mutex::default(), Arc::default());
        Self { fresh, max: max.get(), inner, sold, watchers }
    }

    /// Takes announced orders: only a higher version replaces. Wakes those who wait for them.
    ///
    /// What is told once more is no fresher for it: it may have changed long before it was told.
    pub fn apply<'a>(&self, orders: impl IntoIterator<Item = &'a Arc<Order>>) {
        self.take(orders, Instant::now(), false);
    }

    /// Takes orders that the ledger showed, which stood so at `at` or later: nobody who was shown them is
    /// shown an older version afterwards, however late that is announced.
    pub fn learn<'a>(&self, orders: impl IntoIterator<Item = &'a Arc<Order>>, at: Instant) {
        if !planted("boards-do-not-learn") {
            self.take(orders, at, true);
        }
    }

    fn take<'a>(
        &self,
        orders: impl IntoIterator<Item = &'a Arc<Order>>,
        at: Instant,
        by_the_ledger: bool,
    ) {
        let listened = self.sold.receiver_count() > 0;
        let mut inner = self.lock();
        let mut changed = vec![];
        for order in orders {
            if listened {
                self.tell_sold(order);
            }
            inner.settled_through = inner.settled_through.max(Some(order.accepted_at));
            match inner.orders.get_mut(&order.id) {
                Some(seen) if seen.order.version > order.version && !planted("boards-go-back") => {
                    continue;
                }
                Some(seen) if seen.order.version == order.version => {
                    if by_the_ledger {
                        seen.at = seen.at.max(at);
                    }
                    continue;
                }
                Some(seen) => *seen = Seen { order: Arc::clone(order), at },
                None => {
                    inner.orders.insert(order.id, Seen { order: Arc::clone(order), at });
                    inner.ring.push_back(order.id);
                }
            }
            changed.push(order.id);
        }
        while inner.ring.len() > self.max {
            if let Some(oldest) = inner.ring.pop_front() {
                inner.orders.remove(&oldest);
            }
        }
        drop(inner);
        self.watchers.wake(changed);
    }

    /// Who gets units of a sale from now on, bought or held. A listener who is too slow misses some.
    pub fn sold(&self) -> broadcast::Receiver<(SaleId, UserId)> {
        self.sold.subscribe()
    }

    fn tell_sold(&self, order: &Order) {
        let Some(terms) = order.terms.as_ref() else { return };
        if let (Some(sale), Status::Confirmed | Status::Reserved) = (terms.sale_id, order.status) {
            let _ = self.sold.send((sale, terms.user_id.clone()));
        }
    }

    /// The order if this board may answer by itself: it is terminal, or was just announced.
    pub fn get(&self, id: TrackingId) -> Option<Arc<Order>> {
        let inner = self.lock();
        let seen = inner.orders.get(&id)?;
        let current = seen.order.status.is_terminal() || seen.at.elapsed() < self.fresh;
        current.then(|| Arc::clone(&seen.order))
    }

    /// When the latest settled purchase had been accepted.
    pub fn settled_through(&self) -> Option<Timestamp> {
        self.lock().settled_through
    }

    /// Watches an order for changes from this moment on.
    pub fn watch(&self, id: TrackingId) -> Watch<TrackingId> {
        self.watchers.watch(id)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::id;

    fn board(max: usize) -> Arc<OutcomeBoard> {
        let max = NonZeroUsize::new(max).unwrap();
        Arc::new(OutcomeBoard::new(max, Duration::from_secs(2)))
    }

    fn order(n: u128, status: Status, version: i64) -> Arc<Order> {
        Arc::new(Order { status, version, ..Order::queued(id(n)) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_never_goes_back() {
        let board = board(10);
        board.apply(&[order(1, Status::Confirmed, 2)]);
        board.apply(&[order(1, Status::Reserved, 1)]);
        assert_eq!(board.get(id(1)).unwrap().version, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_still_change_is_served_only_while_it_is_fresh() {
        let board = board(10);
        board.apply(&[order(1, Status::Confirmed, 1), order(2, Status::Rejected, 1)]);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(board.get(id(1)).is_none());
        assert!(board.get(id(2)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_again_is_no_fresher() {
        let board = board(10);
        board.apply(&[order(1, Status::Confirmed, 1)]);
        tokio::time::advance(Duration::from_secs(2)).await;
        board.apply(&[order(1, Status::Confirmed, 1)]);
        assert!(board.get(id(1)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_ledger_showed_is_never_taken_back_by_late_news() {
        let board = board(10);
        let read_at = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        board.learn(&[order(1, Status::Confirmed, 2)], read_at);
        board.apply(&[order(1, Status::Reserved, 1)]);
        assert_eq!(board.get(id(1)).unwrap().version, 2);
        // Fresh from the moment on at which it was asked for.
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(board.get(id(1)).is_none());
        board.learn(&[order(1, Status::Confirmed, 2)], Instant::now());
        assert_eq!(board.get(id(1)).unwrap().version, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_leave_first() {
        let board = board(2);
        board.apply(&[1, 2, 3].map(|n| order(n, Status::Rejected, 1)));
        assert!(board.get(id(1)).is_none());
        assert!(board.get(id(2)).is_some() && board.get(id(3)).is_some());
    }

    #[tokio::test]
    async fn a_watcher_is_woken() {
        let board = board(10);
        let watch = board.watch(id(1));
        let changed = watch.changed();
        board.apply(&[order(1, Status::Confirmed, 1)]);
        changed.await;
    }
}
