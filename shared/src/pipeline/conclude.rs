//! Conclude: the synchronous way. The same settle as a worker's, without the queue in front.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;

use super::group_commit::{Bounds, GroupCommit, LineError};
use super::settle::Settler;
use crate::boards::Boards;
use crate::domain::{Purchase, Settled};
use crate::ports::LedgerError;

/// Why there is no outcome. It may still be recorded: a retry under the same key finds out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConcludeError {
    /// The ledger is away, or refused it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Too many wait.
    #[error(transparent)]
    Line(#[from] LineError),
    /// No outcome within the deadline.
    #[error("no outcome within {0:?}")]
    Late(Duration),
}

/// Settles single purchases in batches while their clients wait.
#[derive(Clone)]
pub struct Concluder {
    line: GroupCommit<Purchase, Result<Settled, LedgerError>>,
    timeout: Duration,
}

impl Concluder {
    /// A concluder that shows each outcome on `boards` before it answers.
    pub fn new(settler: Settler, boards: Arc<Boards>, bounds: Bounds, timeout: Duration) -> Self {
        let line = GroupCommit::start(bounds, move |batch| {
            conclude(settler.clone(), Arc::clone(&boards), batch)
        });
        Self { line, timeout }
    }

    /// Whether a purchase could join the line now.
    pub fn room(&self) -> Result<(), LineError> {
        self.line.room().map(drop)
    }

    /// Whether settling takes so long that nobody could join the line now.
    pub fn is_full(&self) -> bool {
        self.line.is_full()
    }

    /// Settles one purchase.
    pub async fn conclude(&self, purchase: Purchase) -> Result<Settled, ConcludeError> {
        let in_time = tokio::time::timeout(self.timeout, self.line.submit(purchase)).await;
        let settled = in_time.map_err(|_| ConcludeError::Late(self.timeout))???;
        counter!("doorbuster_accepted_total", "mode" => "sync").increment(1);
        Ok(settled)
    }
}

async fn conclude(
    settler: Settler,
    boards: Arc<Boards>,
    batch: Vec<Purchase>,
) -> Vec<Result<Settled, LedgerError>> {
    match settler.settle(&batch).await {
        Ok(recorded) => {
            boards.apply(recorded.announcement.as_ref());
            recorded.settled.into_iter().map(Ok).collect()
        }
        // One purchase that cannot be written must not cost its neighbours their answers.
        Err(LedgerError::Poison(_)) if batch.len() > 1 => {
            let mut answers = Vec::with_capacity(batch.len());
            for purchase in &batch {
                let alone = settler.settle(std::slice::from_ref(purchase)).await;
                answers.push(alone.and_then(|mut recorded| {
                    boards.apply(recorded.announcement.as_ref());
                    let missing = || LedgerError::Unavailable("no outcome recorded".into());
                    recorded.settled.pop().ok_or_else(missing)
                }));
            }
            answers
        }
        Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
    }
}
