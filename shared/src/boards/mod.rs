//! What an API instance keeps in memory: catalogue, stock and recent outcomes.
//!
//! Fed by the fanouts and by the instance's own writes; never a cache that must be right. Where a
//! board is not fresh, the ledger is asked.
#![deny(clippy::disallowed_methods)]

mod catalogue;
pub mod drift;
mod feed;
mod outcomes;
mod stock;
mod watchers;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use catalogue::CatalogueBoard;
pub use feed::feed;
pub use outcomes::OutcomeBoard;
pub use stock::StockBoard;
pub use watchers::Watch;

use self::drift::{BoardBeat, BoardWatch};
use crate::domain::StockLevel;
use crate::ports::Announcement;

/// All boards of an instance.
#[derive(Debug)]
pub struct Boards {
    /// What is for sale.
    pub catalogue: CatalogueBoard,
    /// How much of it is left.
    pub stock: StockBoard,
    /// What became of recent purchases.
    pub outcomes: Arc<OutcomeBoard>,
    /// Where the stock board was not what the ledger says.
    watch: Mutex<BoardWatch>,
}

impl Boards {
    /// Empty boards; an entry older than `fresh` answers nothing by itself.
    pub fn new(outcomes_max: NonZeroUsize, fresh: Duration) -> Self {
        Self {
            catalogue: CatalogueBoard::default(),
            stock: StockBoard::new(fresh),
            outcomes: Arc::new(OutcomeBoard::new(outcomes_max, fresh)),
            watch: Mutex::default(),
        }
    }

    /// Takes the stock of all active products as the ledger had it `age` ago, and tells what of it was
    /// shown otherwise.
    pub fn beat(&self, levels: &[StockLevel], age: Duration) -> BoardBeat {
        let before = self.stock.newest_of(levels);
        self.stock.apply(levels, age);
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).beat(levels, &before)
    }

    /// Shows the instance's own write before it is answered.
    pub fn apply(&self, written: Option<&Announcement>) {
        if let Some(announcement) = written {
            self.stock.apply(&announcement.levels, Duration::ZERO);
            self.outcomes.apply(announcement.orders.iter().map(|change| &change.order));
        }
    }
}
