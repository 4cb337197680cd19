//! Drift: what a copy of the stock (a board here, the gate in [`crate::pipeline::drift`]) has that is not
//! the ledger's.
//!
//! A copy is compared at every heartbeat. One that is behind, or short of units that somebody just
//! claimed, is no drift: news and claims are under way. What a heartbeat corrects is *healed*. A copy
//! with a version that the ledger does not have is *ahead*: it takes nothing older, so no heartbeat
//! heals it. That happens when the ledger was restored to an earlier moment.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{ProductId, StockLevel};

/// News and heartbeats overtake each other by less. Whoever is ahead of the ledger for so long has
/// versions that the ledger does not know.
pub const CERTAIN_AFTER: Duration = Duration::from_secs(1);

/// Copies that are ahead of the ledger.
#[derive(Debug, Default)]
pub struct Ahead {
    suspects: HashMap<ProductId, Suspect>,
}

/// A version that the ledger did not have.
#[derive(Debug)]
struct Suspect {
    version: i64,
    since: Instant,
}

/// Drift that no heartbeat heals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Products whose copy is ahead of the ledger.
    pub products: usize,
    /// How long the first of them has been seen to be.
    pub oldest: Duration,
}

impl Ahead {
    /// Looks at all products: each with the version that the ledger has and the copy's.
    pub fn look(&mut self, seen: impl IntoIterator<Item = (ProductId, i64, i64)>) -> Standing {
        let now = Instant::now();
        let mut known = std::mem::take(&mut self.suspects);
        for (product, ledger, copy) in seen {
            if copy > ledger {
                // As soon as the ledger has what was suspected, that was news under way.
                let same = known.remove(&product).filter(|suspect| suspect.version > ledger);
                let suspect = same.unwrap_or(Suspect { version: copy, since: now });
                self.suspects.insert(product, suspect);
            }
        }
        let ages = self.suspects.values().map(|suspect| now - suspect.since);
        let certain: Vec<_> = ages.filter(|age| *age >= CERTAIN_AFTER).collect();
        let oldest = certain.iter().max().copied().unwrap_or_default();
        Standing { products: certain.len(), oldest }
    }
}

/// Compares the stock board with every heartbeat.
#[derive(Debug)]
pub struct BoardWatch {
    ahead: Ahead,
    /// The last heartbeat; the board was right then.
    beat_at: Instant,
}

/// What a heartbeat found on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardBeat {
    /// Products that had other counts at the ledger's version. They are right now.
    pub healed: u64,
    /// For how long they can have been wrong: since the last heartbeat.
    pub within: Duration,
    /// What is still wrong.
    pub standing: Standing,
}

impl Default for BoardWatch {
    fn default() -> Self {
        Self { ahead: Ahead::default(), beat_at: Instant::now() }
    }
}

impl BoardWatch {
    /// Takes note of a heartbeat, and of what the board had until then.
    pub fn beat(&mut self, levels: &[StockLevel], before: &[Option<StockLevel>]) -> BoardBeat {
        let now = Instant::now();
        let within = now - std::mem::replace(&mut self.beat_at, now);
        let pairs =
            || levels.iter().zip(before).filter_map(|(level, had)| Some((level, had.as_ref()?)));
        let healed = pairs().filter(|(level, had)| level.contradicts(had)).count() as u64;
        let versions = pairs().map(|(level, had)| (level.product_id, level.version, had.version));
        BoardBeat { healed, within, standing: self.ahead.look(versions) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Counts;

    const ONE: ProductId = ProductId(1);
    const BEAT: Duration = Duration::from_millis(500);

    fn level(version: i64, sold: i64) -> StockLevel {
        let counts = Counts { total: 10, reserved: 0, sold };
        StockLevel { product_id: ONE, counts, version, sale: None }
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_ahead_of_the_ledger_is_told_with_its_age() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.look([(ONE, 5, 9)]), Standing::default(), "it may be under way");
        tokio::time::advance(BEAT).await;
        assert_eq!(ahead.look([(ONE, 5, 9)]), Standing::default());
        tokio::time::advance(BEAT).await;
        let standing = Standing { products: 1, oldest: 2 * BEAT };
        // The restored ledger goes on, and so does what it counts in front of it.
        assert_eq!(ahead.look([(ONE, 7, 9)]), standing);
        assert_eq!(ahead.look([(ONE, 9, 9)]), Standing::default());
    }

    #[tokio::test(start_paused = true)]
    async fn news_that_overtake_heartbeats_are_no_drift() {
        let mut ahead = Ahead::default();
        for version in 1..10 {
            assert_eq!(ahead.look([(ONE, version, version + 1)]), Standing::default());
            tokio::time::advance(BEAT).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_longer_sold_is_forgotten() {
        let mut ahead = Ahead::default();
        ahead.look([(ONE, 5, 9)]);
        tokio::time::advance(2 * BEAT).await;
        assert_eq!(ahead.look([(ONE, 5, 9)]).products, 1);
        assert_eq!(ahead.look([]), Standing::default());
    }

    #[tokio::test(start_paused = true)]
    async fn other_counts_at_the_same_version_are_healed_drift() {
        let mut watch = BoardWatch::default();
        tokio::time::advance(BEAT).await;
        let beat = watch.beat(&[level(3, 3)], &[Some(level(3, 4))]);
        assert_eq!(beat, BoardBeat { healed: 1, within: BEAT, standing: Standing::default() });
        for fine in [None, Some(level(3, 3)), Some(level(2, 2)), Some(level(4, 4))] {
            assert_eq!(watch.beat(&[level(3, 3)], &[fine]).healed, 0, "{fine:?}");
        }
    }
}
