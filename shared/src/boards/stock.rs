//! The stock board: product → newest counts, and when they were last confirmed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use super::watchers::{Watch, Watchers};
use crate::domain::{ProductId, SaleId, StockLevel};
use crate::planted::planted;

/// The newest stock of every product that was announced.
#[derive(Debug)]
pub struct StockBoard {
    fresh: Duration,
    entries: RwLock<HashMap<ProductId, Entry>>,
    watchers: Arc<Watchers<ProductId>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    level: StockLevel,
    seen_at: Instant,
}

impl StockBoard {
    /// An empty board whose entries are fresh for so long after an announcement.
    pub fn new(fresh: Duration) -> Self {
        Self { fresh, entries: RwLock::default(), watchers: Arc::default() }
    }

    /// Takes levels that were read `age` ago: only a higher version replaces, an equal one confirms.
    /// (It replaces too: what is left of a sale begins to count when the sale opens. One that is wrong
    /// is put right by the next heartbeat.) Wakes those who watch what changed.
    pub fn apply(&self, levels: &[StockLevel], age: Duration) {
        self.take(levels, Some(age));
    }

    /// Takes levels that somebody announced, who knows how long ago. They confirm nothing: what replaces a level
    /// was true later than that one was confirmed, and counts as confirmed when it was. However late an old
    /// count arrives, it is no fresher for it.
    pub fn announced(&self, levels: &[StockLevel]) {
        self.take(levels, None);
    }

    fn take(&self, levels: &[StockLevel], age: Option<Duration>) {
        let now = Instant::now();
        let seen_at = now.checked_sub(age.unwrap_or(self.fresh)).unwrap_or(now);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = vec![];
        for &level in levels {
            let entry = entries.entry(level.product_id).or_insert_with(|| {
                changed.push(level.product_id);
                Entry { level, seen_at }
            });
            if level.version >= entry.level.version || planted("boards-go-back") {
                if level != entry.level {
                    changed.push(level.product_id);
                }
                *entry = Entry { level, seen_at: seen_at.max(entry.seen_at) };
            }
        }
        drop(entries);
        if !changed.is_empty() {
            self.watchers.wake(changed);
        }
    }

    /// Watches the stock of a product for changes from this moment on.
    pub fn watch(&self, product: ProductId) -> Watch<ProductId> {
        self.watchers.watch(product)
    }

    /// The newest levels of the products of `levels`, in their order, however old.
    pub fn newest_of(&self, levels: &[StockLevel]) -> Vec<Option<StockLevel>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let newest = |level: &StockLevel| entries.get(&level.product_id).map(|entry| entry.level);
        levels.iter().map(newest).collect()
    }

    /// The newest level if it is fresh.
    pub fn fresh(&self, product: ProductId) -> Option<StockLevel> {
        self.fresh_with_age(product).map(|(level, _)| level)
    }

    /// The newest level if it is fresh, and how long ago it was last confirmed.
    pub fn fresh_with_age(&self, product: ProductId) -> Option<(StockLevel, Duration)> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(&product)?;
        let age = entry.seen_at.elapsed();
        (age < self.fresh || planted("edge-never-doubts")).then_some((entry.level, age))
    }

    /// The newest level, however old, and how long ago it was last confirmed.
    pub fn newest_with_age(&self, product: ProductId) -> Option<(StockLevel, Duration)> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(&product).map(|entry| (entry.level, entry.seen_at.elapsed()))
    }

    /// The newest level, however old.
    pub fn newest(&self, product: ProductId) -> Option<StockLevel> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(&product).map(|entry| entry.level)
    }

    /// True if a fresh board says that `units` are surely not to be had. A board that is not fresh
    /// says nothing.
    pub fn is_short(&self, product: ProductId, sale: Option<SaleId>, units: u32) -> bool {
        self.fresh(product).is_some_and(|level| {
            let of_sale = level.sale.filter(|left| Some(left.sale_id) == sale);
            let left = of_sale.map_or(i64::MAX, |left| left.sale_left);
            level.counts.available().min(left) < i64::from(units)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Counts;

    fn level(version: i64, sold: i64) -> StockLevel {
        let counts = Counts { total: 10, reserved: 0, sold };
        StockLevel { product_id: ProductId(1), counts, version, sale: None }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_higher_version_replaces() {
        let board = StockBoard::new(Duration::from_secs(2));
        board.apply(&[level(5, 5)], Duration::ZERO);
        board.apply(&[level(4, 4)], Duration::ZERO);
        assert_eq!(board.fresh(ProductId(1)), Some(level(5, 5)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_announcement_is_no_fresher_for_being_late() {
        let board = StockBoard::new(Duration::from_secs(2));
        board.announced(&[level(1, 1)]);
        assert_eq!(board.newest(ProductId(1)), Some(level(1, 1)));
        assert_eq!(board.fresh(ProductId(1)), None, "nobody has said when that was");
        board.apply(&[level(2, 2)], Duration::ZERO);
        tokio::time::advance(Duration::from_millis(1_500)).await;
        board.announced(&[level(2, 2), level(3, 3)]);
        assert_eq!(board.fresh(ProductId(1)), Some(level(3, 3)));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(board.fresh(ProductId(1)), None);
        assert_eq!(board.newest(ProductId(1)), Some(level(3, 3)));
    }

    #[tokio::test(start_paused = true)]
    async fn of_an_equal_version_the_last_word_counts() {
        let board = StockBoard::new(Duration::from_secs(2));
        board.apply(&[level(5, 9)], Duration::ZERO);
        board.apply(&[level(5, 5)], Duration::ZERO);
        assert_eq!(board.fresh(ProductId(1)), Some(level(5, 5)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_board_that_is_ahead_is_believed_only_while_it_is_fresh() {
        let board = StockBoard::new(Duration::from_secs(2));
        board.apply(&[level(9, 10)], Duration::ZERO);
        assert!(board.is_short(ProductId(1), None, 1));
        tokio::time::advance(Duration::from_secs(2)).await;
        board.apply(&[level(5, 5)], Duration::ZERO);
        assert!(!board.is_short(ProductId(1), None, 1));
        assert_eq!(board.fresh(ProductId(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_board_passes_purchases_through() {
        let board = StockBoard::new(Duration::from_secs(2));
        board.apply(&[level(5, 10)], Duration::ZERO);
        assert!(board.is_short(ProductId(1), None, 1));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!board.is_short(ProductId(1), None, 1));
        assert_eq!(board.newest(ProductId(1)), Some(level(5, 10)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_with_the_same_version_keeps_it_fresh() {
        let board = StockBoard::new(Duration::from_secs(2));
        board.apply(&[level(5, 10)], Duration::ZERO);
        tokio::time::advance(Duration::from_millis(1_900)).await;
        board.apply(&[level(5, 10)], Duration::ZERO);
        tokio::time::advance(Duration::from_millis(1_900)).await;
        assert!(board.is_short(ProductId(1), None, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_announcement_does_not_make_it_fresh() {
        let board = StockBoard::new(Duration::from_secs(2));
        board.apply(&[level(5, 10)], Duration::ZERO);
        tokio::time::advance(Duration::from_secs(3)).await;
        board.apply(&[level(4, 9)], Duration::ZERO);
        assert!(board.fresh(ProductId(1)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_is_woken_by_what_is_new_only() {
        use futures::FutureExt;
        let board = StockBoard::new(Duration::from_secs(2));
        let watch = board.watch(ProductId(1));
        let mut changed = Box::pin(watch.changed());
        board.apply(&[level(5, 5)], Duration::ZERO);
        assert!(changed.as_mut().now_or_never().is_some());
        let mut changed = Box::pin(watch.changed());
        board.apply(&[level(5, 5), level(4, 4)], Duration::ZERO);
        assert!(changed.as_mut().now_or_never().is_none());
        board.apply(&[level(5, 6)], Duration::ZERO);
        assert!(changed.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_announcement_that_was_long_under_way_is_old() {
        let board = StockBoard::new(Duration::from_secs(2));
        tokio::time::advance(Duration::from_secs(9)).await;
        board.apply(&[level(5, 10)], Duration::from_secs(3));
        assert!(board.fresh(ProductId(1)).is_none());
        board.apply(&[level(5, 10)], Duration::from_secs(1));
        board.apply(&[level(5, 10)], Duration::from_secs(4));
        let age = board.fresh_with_age(ProductId(1)).map(|(_, age)| age);
        assert_eq!(age, Some(Duration::from_secs(1)));
    }
}
