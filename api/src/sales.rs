//! Sales as readers are shown them.
//!
//! | asked for | served from |
//! |---|---|
//! | one that is upcoming or live; the lists of these | the catalogue board; units taken of a live one from [`Levels`] |
//! | all else: over, called off, unknown here; the other lists | the ledger, in a line, where equal questions are one query |
//!
//! The catalogue's own count of units is as old as the catalogue, so a sale that is over, which no
//! level tells of any more, is read anew.

use std::sync::Arc;

use futures::future::try_join_all;
use shared::domain::{Catalogue, Phase, Sale, SaleId, Timestamp};
use shared::pipeline::group_commit::{Bounds, GroupCommit, LineError};
use shared::ports::{Clock, Ledger, LedgerError, SaleQuery};

use crate::levels::{LevelError, Levels};

/// Reads that wait for the ledger, those in one round, which asks each different question once; rounds under
/// way at once.
const BOUNDS: Bounds = Bounds::patient(10_000, 1_000, 2);

/// Why a sale is not known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SaleError {
    /// There is no such sale.
    #[error("no such sale")]
    NoSuchSale,
    /// What it has left is not known.
    #[error(transparent)]
    Level(#[from] LevelError),
    /// The board does not have it and the ledger is away.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Too many reads wait.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// Sales, and the moment at which they are judged: what was listed as live is shown as live.
#[derive(Debug, Clone)]
pub struct Asked<T> {
    /// By the ledger's clock.
    pub now: Timestamp,
    /// What was found.
    pub found: T,
}

type Read = Result<Asked<Vec<Sale>>, LedgerError>;

/// Reads sales.
#[derive(Clone)]
pub struct Sales {
    levels: Levels,
    reads: GroupCommit<SaleQuery, Read>,
}

impl Sales {
    /// Reads from the boards of `levels`, else from `ledger`.
    pub fn new(levels: Levels, ledger: Arc<dyn Ledger>) -> Self {
        let reads = GroupCommit::start(BOUNDS, move |asked| read(Arc::clone(&ledger), asked));
        Self { levels, reads }
    }

    /// One sale.
    pub async fn one(&self, id: SaleId) -> Result<Asked<Sale>, SaleError> {
        let now = self.levels.clock().now();
        let shown = self.catalogue().and_then(|catalogue| catalogue.sale(id).cloned());
        if let Some(sale) = shown.filter(|sale| is_shown(sale.phase(now))) {
            return Ok(Asked { now, found: self.counted(sale, now).await? });
        }
        let query = SaleQuery { phase: None, after: SaleId(id.0 - 1), limit: 1 };
        let Asked { now, found } = self.reads.submit(query).await??;
        let found = found.into_iter().find(|sale| sale.id == id).ok_or(SaleError::NoSuchSale)?;
        Ok(Asked { now, found })
    }

    /// A page of sales, by number.
    pub async fn page(&self, query: &SaleQuery) -> Result<Asked<Vec<Sale>>, SaleError> {
        let phase = query.phase.filter(|phase| is_shown(*phase));
        let (Some(phase), Some(catalogue)) = (phase, self.catalogue()) else {
            return Ok(self.reads.submit(query.clone()).await??);
        };
        let now = self.levels.clock().now();
        let listed = catalogue.sales_after(query.after).filter(|sale| sale.phase(now) == phase);
        let counted = listed.take(query.limit).map(|sale| self.counted(sale.clone(), now));
        Ok(Asked { now, found: try_join_all(counted).await? })
    }

    fn catalogue(&self) -> Option<Arc<Catalogue>> {
        self.levels.boards().catalogue.current()
    }

    /// The sale with the units that it has taken by now.
    async fn counted(&self, sale: Sale, now: Timestamp) -> Result<Sale, SaleError> {
        let (Phase::Live, Some(quantity)) = (sale.phase(now), sale.quantity) else {
            return Ok(sale);
        };
        let left = self.levels.of(sale.product_id).await?.level.sale;
        Ok(match left.filter(|left| left.sale_id == sale.id) {
            Some(left) => Sale { taken: (quantity - left.sale_left).max(0), ..sale },
            None => sale,
        })
    }
}

/// Whether the board can show such a sale as it is.
fn is_shown(phase: Phase) -> bool {
    matches!(phase, Phase::Upcoming | Phase::Live)
}

async fn read(ledger: Arc<dyn Ledger>, asked: Vec<SaleQuery>) -> Vec<Read> {
    let mut answers: Vec<(&SaleQuery, Read)> = Vec::new();
    let mut reads = Vec::with_capacity(asked.len());
    for query in &asked {
        // After a failure the others of the round are not tried: it would be the same one.
        let known = answers.iter().find(|(earlier, read)| *earlier == query || read.is_err());
        if let Some((_, read)) = known {
            reads.push(read.clone());
            continue;
        }
        let read = ledger.sales(query).await.map(|(now, found)| Asked { now, found });
        answers.push((query, read.clone()));
        reads.push(read);
    }
    reads
}
