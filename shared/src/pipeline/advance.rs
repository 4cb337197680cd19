//! Advance: move orders along after they were settled, in batches like everything else.

use std::sync::Arc;

use super::group_commit::{Bounds, GroupCommit, LineError};
use super::relay::Relay;
use crate::boards::Boards;
use crate::domain::{Advanced, Command, Refusal};
use crate::ports::{Carried, Ledger, LedgerError};

/// Commands that wait, in one transaction; transactions under way at once.
const BOUNDS: Bounds = Bounds::patient(10_000, 256, 2);

/// Why a command was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AdvanceError {
    /// The order does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The ledger is away. It may have been done all the same; asking again is safe.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Too many wait.
    #[error(transparent)]
    Line(#[from] LineError),
}

type Outcome = Result<Result<Advanced, Refusal>, LedgerError>;

/// Moves orders along.
#[derive(Clone)]
pub struct Advancer {
    line: GroupCommit<Command, Outcome>,
}

impl Advancer {
    /// An advancer that shows what it did on `boards` before it answers, and elsewhere by `relay`.
    pub fn new(ledger: Arc<dyn Ledger>, boards: Arc<Boards>, relay: Relay) -> Self {
        let line = GroupCommit::start(BOUNDS, move |commands: Vec<Command>| {
            let (ledger, boards, relay) = (Arc::clone(&ledger), Arc::clone(&boards), relay.clone());
            async move { carry_out(&*ledger, &boards, &relay, &commands).await }
        });
        Self { line }
    }

    /// Carries one command out.
    pub async fn advance(&self, mut command: Command) -> Result<Advanced, AdvanceError> {
        match self.line.submit(command.clone()).await?? {
            // A retry that was recognised late has an ID of its own, and means its original.
            Err(Refusal::Replay(original)) => {
                command.id = original;
                Ok(self.line.submit(command).await???)
            }
            outcome => Ok(outcome?),
        }
    }
}

async fn carry_out(
    ledger: &dyn Ledger,
    boards: &Boards,
    relay: &Relay,
    commands: &[Command],
) -> Vec<Outcome> {
    let spread = |carried: Carried| {
        boards.apply(carried.announcement.as_ref());
        carried.announcement.into_iter().for_each(|announcement| relay.offer(announcement));
        carried.results
    };
    match ledger.advance(commands).await {
        Ok(carried) => spread(carried).into_iter().map(Ok).collect(),
        // One command that cannot be written must not cost its neighbours theirs.
        Err(LedgerError::Poison(_)) if commands.len() > 1 => {
            let mut outcomes = Vec::with_capacity(commands.len());
            for command in commands {
                let alone = ledger.advance(std::slice::from_ref(command)).await;
                outcomes.push(alone.and_then(|carried| {
                    let missing = || LedgerError::Unavailable("no outcome recorded".into());
                    spread(carried).pop().ok_or_else(missing)
                }));
            }
            outcomes
        }
        Err(error) => commands.iter().map(|_| Err(error.clone())).collect(),
    }
}
