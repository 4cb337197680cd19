//! The waiting room: join the line of a sale, wait to be called, and be let in with a pass.
//!
//! join → ticket → … the [`usher`] calls numbers … → pass → purchase
//!
//! | file | what |
//! |---|---|
//! | `mod` | what shoppers ask for |
//! | `lines` | the lines of all sales, made anew from the book where they are lost |
//! | `usher` | who is let in, and what those who wait are shown |
//!
//! Every instance keeps the state of every line in memory, a quarter of a second old at most, so that where
//! somebody stands is arithmetic. The line is Redis's, what must survive it is in the ledger's book.

mod lines;
mod usher;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use self::lines::{Index, LetInAt, Lines};
use super::group_commit::{Bounds, GroupCommit, LineError};
use super::key::KeyRing;
use crate::boards::Boards;
use crate::domain::room::{Line, Pass, RoomRules, Seal, Standing, Ticket, estimate, pass_ends};
use crate::domain::{Phase, Reason, Sale, SaleId, UserId};
use crate::ports::rooms::{RoomBook, Rooms, RoomsError};
use crate::ports::{Clock, LedgerClock, LedgerError};

/// Joins that wait, in one call, calls under way.
const LINE: Bounds = Bounds::patient(100_000, 1_000, 2);
/// The state of a line that nobody looked at yet is waited for so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why the waiting room has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RoomError {
    /// The sale has no waiting room.
    #[error("this sale has no waiting room")]
    NoRoom,
    /// Nobody can join (any more).
    #[error("refused: {0}")]
    Refused(Reason),
    /// The line cannot be asked.
    #[error("{0}")]
    Unavailable(String),
    /// Too many are joining.
    #[error(transparent)]
    Line(#[from] LineError),
}

impl From<RoomsError> for RoomError {
    fn from(error: RoomsError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<LedgerError> for RoomError {
    fn from(error: LedgerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// What there is to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The sale opens later.
    Early,
    /// Shoppers are let in.
    Open,
    /// Everything is sold; what is given back goes on being sold.
    SoldOut,
    /// The sale is over.
    Ended,
    /// The sale was called off.
    Cancelled,
    /// The sale has no waiting room any more: nobody needs to wait.
    Lifted,
}

/// A line as everybody who waits in it sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoomState {
    /// The line.
    pub line: Line,
    /// What there is to wait for.
    pub stage: Stage,
    /// Numbers called per second, lately.
    pub rate_per_s: f64,
    /// The rules.
    pub rules: RoomRules,
}

/// Where somebody stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the line, which has no order yet.
    Early,
    /// In the line.
    Waiting {
        /// Numbers that are called before.
        ahead: u64,
        /// How long that may take.
        estimate: Option<Duration>,
    },
    /// Let in.
    Inside(Pass),
    /// Called and not there, or the pass has run out: they may join again.
    Missed,
}

/// The waiting rooms of all sales.
#[derive(Clone)]
pub struct WaitingRooms {
    lines: Arc<Lines>,
    keys: Arc<KeyRing>,
    joining: GroupCommit<(SaleId, UserId), Index>,
    entering: GroupCommit<(SaleId, u64), LetInAt>,
}

impl WaitingRooms {
    /// Waiting rooms over `rooms` and `book`. Must be called within a runtime.
    pub fn start(
        rooms: Arc<dyn Rooms>,
        book: Arc<dyn RoomBook>,
        boards: Arc<Boards>,
        clock: Arc<LedgerClock>,
        keys: Arc<KeyRing>,
    ) -> Self {
        let lines = Arc::new(Lines::new(rooms, book, boards, clock));
        let (joins, enters) = (Arc::clone(&lines), Arc::clone(&lines));
        Self {
            lines,
            keys,
            joining: GroupCommit::start(LINE, move |asked| Arc::clone(&joins).join(asked)),
            entering: GroupCommit::start(LINE, move |asked| Arc::clone(&enters).let_in(asked)),
        }
    }

    /// Lets people in, for as long as the program runs; not while it is under `pressure`.
    pub async fn usher(&self, pressure: impl Fn() -> bool + Send + Sync) {
        usher::run(&self.lines, pressure).await;
    }

    /// Joins the line of a sale. Who is in it already has the place that they had.
    pub async fn join(&self, sale: &Sale, user: &UserId) -> Result<Ticket, RoomError> {
        let rules = sale.waiting_room.ok_or(RoomError::NoRoom)?;
        let now = self.lines.clock.now();
        let early_ms = i64::from(rules.pre_queue_seconds) * 1_000;
        match sale.refusal(now) {
            Some(Reason::SaleNotStarted) if sale.starts_at.millis() - early_ms <= now.millis() => {}
            Some(reason) => return Err(RoomError::Refused(reason)),
            None => {}
        }
        let mut ticket = self.ticket(sale.id, user).await?;
        // A place that is over is nobody's hindrance.
        if self.place(&ticket).await? == Place::Missed {
            self.lines.rooms.leave(sale.id, user, ticket.index).await?;
            ticket = self.ticket(sale.id, user).await?;
        }
        Ok(ticket)
    }

    async fn ticket(&self, sale_id: SaleId, user: &UserId) -> Result<Ticket, RoomError> {
        let index = self.joining.submit((sale_id, user.clone())).await??;
        let joined_at = self.lines.clock.now();
        Ok(Ticket { sale_id, user_id: user.clone(), index, joined_at })
    }

    /// The ticket of a user who is in the line.
    pub async fn find(&self, sale_id: SaleId, user: &UserId) -> Result<Option<Ticket>, RoomError> {
        let users = std::slice::from_ref(user);
        let found = self.lines.rooms.find(sale_id, users).await?.into_iter().flatten().next();
        let joined_at = self.lines.clock.now();
        Ok(found.map(|index| Ticket { sale_id, user_id: user.clone(), index, joined_at }))
    }

    /// Where the owner of a ticket stands.
    pub async fn place(&self, ticket: &Ticket) -> Result<Place, RoomError> {
        let state = self.state(ticket.sale_id).await?;
        self.place_in(&state, ticket).await
    }

    /// Where the owner of a ticket stands in a line in this state.
    pub async fn place_in(&self, state: &RoomState, ticket: &Ticket) -> Result<Place, RoomError> {
        match state.line.standing(ticket.index) {
            Standing::Early => Ok(Place::Early),
            Standing::Waiting { ahead } => {
                Ok(Place::Waiting { ahead, estimate: estimate(ahead, state.rate_per_s) })
            }
            // Whoever was called has nothing to come for.
            Standing::Called if state.stage.is_over() => Ok(Place::Missed),
            Standing::Called => {
                let let_in = self.entering.submit((ticket.sale_id, ticket.index)).await??;
                let Some(at_ms) = let_in else { return Ok(Place::Missed) };
                let expires_at = pass_ends(at_ms, &state.rules);
                let Ticket { sale_id, user_id, index, .. } = ticket.clone();
                let good = self.lines.clock.now() < expires_at;
                let pass = Pass { sale_id, user_id, index, expires_at };
                Ok(if good { Place::Inside(pass) } else { Place::Missed })
            }
        }
    }

    /// Notes that the owner of a ticket is there.
    pub fn hear(&self, ticket: &Ticket) {
        if let Some(hall) = self.lines.halls().get(&ticket.sale_id) {
            hall.heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(ticket.index, ticket.user_id.clone());
        }
    }

    /// Gives a place up.
    pub async fn leave(&self, ticket: &Ticket) -> Result<(), RoomError> {
        let Ticket { sale_id, user_id, index, .. } = ticket;
        Ok(self.lines.rooms.leave(*sale_id, user_id, *index).await?)
    }

    /// The state of a line, now and whenever it changes.
    pub fn watch(&self, sale: SaleId) -> watch::Receiver<Option<RoomState>> {
        self.lines.hall(sale).state.subscribe()
    }

    /// The state of a line.
    pub async fn state(&self, sale: SaleId) -> Result<RoomState, RoomError> {
        let mut states = self.watch(sale);
        // One that is put back is shown as lifted for a moment.
        let known = states.wait_for(|state| state.is_some_and(|s| s.stage != Stage::Lifted));
        let known = tokio::time::timeout(PATIENCE, known).await;
        let state = known.ok().and_then(Result::ok).and_then(|state| *state);
        state.ok_or_else(|| RoomError::Unavailable("the line is not known yet".into()))
    }

    /// The signed text of a ticket.
    pub fn seal_ticket(&self, ticket: &Ticket) -> Result<String, RoomError> {
        Ok(self.seal()?.ticket(ticket))
    }

    /// The ticket of a signed text; none where it is not one of ours.
    pub fn open_ticket(&self, text: &str) -> Result<Option<Ticket>, RoomError> {
        Ok(self.seal()?.open_ticket(text).ok())
    }

    /// The signed text of a pass.
    pub fn seal_pass(&self, pass: &Pass) -> Result<String, RoomError> {
        Ok(self.seal()?.pass(pass))
    }

    fn seal(&self) -> Result<&Seal, RoomError> {
        let unknown = || RoomError::Unavailable("the tracking key is not loaded yet".into());
        self.keys.seal().ok_or_else(unknown)
    }
}

impl Stage {
    /// Whether nobody waits any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Cancelled | Self::Lifted)
    }

    /// The stage of a sale in this phase, of which something can be had or not.
    fn of(phase: Phase, sold_out: bool) -> Self {
        match phase {
            Phase::Upcoming => Self::Early,
            Phase::Live if sold_out => Self::SoldOut,
            Phase::Live => Self::Open,
            Phase::Ended => Self::Ended,
            Phase::Cancelled => Self::Cancelled,
        }
    }
}
