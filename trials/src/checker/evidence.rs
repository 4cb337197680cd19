//! What is checked.

use std::collections::BTreeMap;

use shared::adapters::embedded::Contents;
use shared::domain::{ProductId, StockLevel, Timestamp};
use shared::ports::GateLevel;

use crate::history::History;

/// Stock as a commit left it, where somebody watched the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// When, by the clients' clock.
    pub at: Timestamp,
    /// The stock.
    pub level: StockLevel,
}

/// Commits by product, each product's in the order of time.
#[derive(Debug, Default)]
pub(super) struct Commits(BTreeMap<ProductId, Vec<Commit>>);

impl Commits {
    pub(super) fn of(evidence: &Evidence) -> Self {
        let mut commits: BTreeMap<ProductId, Vec<Commit>> = BTreeMap::new();
        for commit in &evidence.commits {
            commits.entry(commit.level.product_id).or_default().push(*commit);
        }
        Self(commits)
    }

    /// Nobody watched.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The states of a product from `since` to `until`, the one that `since` found among them.
    pub(super) fn levels_between(
        &self,
        product: ProductId,
        since: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = StockLevel> {
        let commits = self.0.get(&product).map_or(&[][..], Vec::as_slice);
        let from = commits.partition_point(|commit| commit.at < since).saturating_sub(1);
        let to = commits.partition_point(|commit| commit.at <= until);
        commits[from..to].iter().map(|commit| commit.level)
    }
}

/// Everything that is known when all is over.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What clients saw.
    pub history: History,
    /// What the ledger holds.
    pub ledger: Contents,
    /// What the gate holds, in the order of the ledger's products.
    pub gate: Vec<Option<GateLevel>>,
    /// Messages that still wait to be settled.
    pub queued: u64,
    /// What the dead-letter queue holds: raw bytes.
    pub dead: Vec<Vec<u8>>,
    /// Every change of stock in the order of commits; empty where nobody watched.
    pub commits: Vec<Commit>,
    /// Readers of announcements who were listening to the end.
    pub listening: Vec<String>,
    /// How long an edge may go by what it knows, in milliseconds.
    pub stale_ms: i64,
    /// How long after its stamp a commit may have become visible, in milliseconds.
    pub commit_ms: i64,
    /// From then on nothing changed any more.
    pub rest: Option<Timestamp>,
}
