//! What is checked.

use shared::adapters::embedded::Contents;
use shared::domain::{StockLevel, Timestamp};
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
}
