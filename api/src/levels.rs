//! Stock as readers are shown it: from the board while it is fresh, else from the ledger, in
//! batches, so that a crowd of readers costs it one query at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use shared::boards::Boards;
use shared::domain::{ProductId, StockLevel, Timestamp};
use shared::pipeline::group_commit::{Bounds, GroupCommit, LineError};
use shared::ports::{Clock, Ledger, LedgerClock, LedgerError};

/// Reads that wait for the ledger, products in one of them; reads under way at once.
const BOUNDS: Bounds = Bounds::patient(10_000, 1_000, 2);

/// Why the stock of a product is not known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LevelError {
    /// There is no such product.
    #[error("no such product")]
    NoSuchProduct,
    /// The board is not fresh and the ledger is away.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Too many reads wait.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// A level and the moment at which it was known to hold.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The stock.
    pub level: StockLevel,
    /// Last confirmed by the ledger, directly or through an announcement.
    pub as_of: Timestamp,
}

type Read = Result<Option<StockLevel>, LedgerError>;

/// Reads stock.
#[derive(Clone)]
pub struct Levels {
    boards: Arc<Boards>,
    clock: Arc<LedgerClock>,
    reads: GroupCommit<ProductId, Read>,
}

impl Levels {
    /// Reads from `boards`, else from `ledger`.
    pub fn new(boards: Arc<Boards>, ledger: Arc<dyn Ledger>, clock: Arc<LedgerClock>) -> Self {
        let shown = Arc::clone(&boards);
        let reads = GroupCommit::start(BOUNDS, move |products| {
            read(Arc::clone(&ledger), Arc::clone(&shown), products)
        });
        Self { boards, clock, reads }
    }

    /// The boards that are read.
    pub fn boards(&self) -> &Boards {
        &self.boards
    }

    /// The ledger's time.
    pub fn clock(&self) -> &LedgerClock {
        &self.clock
    }

    /// The stock of a product.
    pub async fn of(&self, product: ProductId) -> Result<Seen, LevelError> {
        if let Some((level, age)) = self.boards.stock.fresh_with_age(product) {
            let as_of = self.clock.now().plus_millis(-(age.as_millis() as i64));
            return Ok(Seen { level, as_of });
        }
        let level = self.reads.submit(product).await??.ok_or(LevelError::NoSuchProduct)?;
        Ok(Seen { level, as_of: self.clock.now() })
    }

    /// The stock of several products, in their order.
    pub async fn of_all(&self, products: &[ProductId]) -> Result<Vec<Seen>, LevelError> {
        try_join_all(products.iter().map(|&product| self.of(product))).await
    }
}

async fn read(
    ledger: Arc<dyn Ledger>,
    boards: Arc<Boards>,
    mut products: Vec<ProductId>,
) -> Vec<Read> {
    let asked = products.clone();
    products.sort_unstable();
    products.dedup();
    match ledger.stock(&products).await {
        Ok(levels) => {
            // What was just read is as good as an announcement for the next readers.
            boards.stock.apply(&levels, Duration::ZERO);
            let found: HashMap<_, _> =
                levels.into_iter().map(|level| (level.product_id, level)).collect();
            asked.iter().map(|product| Ok(found.get(product).copied())).collect()
        }
        Err(error) => asked.iter().map(|_| Err(error.clone())).collect(),
    }
}
