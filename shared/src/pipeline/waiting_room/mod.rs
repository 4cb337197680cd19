//! The waiting room: join the line of a sale, wait to be called, and be let in with a pass.
//!
//! join → ticket → … the [`usher`] calls numbers … → pass → purchase
//!
//! Every instance keeps the state of every line in memory, a quarter of a second old at most, so that where
//! somebody stands is arithmetic. The line is Redis's, what must survive it is in the ledger's book.

mod usher;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::group_commit::{Bounds, GroupCommit, LineError};
use super::key::KeyRing;
use crate::boards::Boards;
use crate::domain::room::{Draw, Line, Pass, RoomRules, Standing, Ticket, estimate, pass_ends};
use crate::domain::{Phase, Reason, Sale, SaleId, UserId};
use crate::ports::rooms::{Joined, LetIn, RoomBook, RoomPage, Rooms, RoomsError};
use crate::ports::{Clock, LedgerClock, LedgerError};

/// Indexes reserved at a time. What is left of them when the line is lost is a gap in it that nobody fills.
const BLOCK: u64 = 1_000;
/// Joins that wait, in one call, calls under way.
const LINE: Bounds = Bounds::patient(100_000, 1_000, 2);
/// Others may take what was reserved: tried so often.
const TRIES: usize = 5;
/// A line is kept for so long after its sale.
const KEPT_MS: i64 = 24 * 3_600 * 1_000;
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

/// The state of a line, and who has been heard of since it was last told.
struct Hall {
    state: watch::Sender<Option<RoomState>>,
    heard: Mutex<HashSet<u64>>,
    /// How far numbers were called lately, and when.
    history: Mutex<std::collections::VecDeque<(i64, u64)>>,
}

struct Inner {
    rooms: Arc<dyn Rooms>,
    book: Arc<dyn RoomBook>,
    boards: Arc<Boards>,
    clock: Arc<LedgerClock>,
    keys: Arc<KeyRing>,
    halls: Mutex<HashMap<SaleId, Arc<Hall>>>,
}

type Index = Result<u64, RoomError>;
type LetInAt = Result<Option<i64>, RoomsError>;

/// The waiting rooms of all sales.
#[derive(Clone)]
pub struct WaitingRooms {
    inner: Arc<Inner>,
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
        let halls = Mutex::default();
        let inner = Arc::new(Inner { rooms, book, boards, clock, keys, halls });
        let (joins, enters) = (Arc::clone(&inner), Arc::clone(&inner));
        Self {
            inner,
            joining: GroupCommit::start(LINE, move |asked| join(Arc::clone(&joins), asked)),
            entering: GroupCommit::start(LINE, move |asked| let_in(Arc::clone(&enters), asked)),
        }
    }

    /// Lets people in, for as long as the program runs; not while it is under `pressure`.
    pub async fn usher(&self, pressure: impl Fn() -> bool + Send + Sync) {
        usher::run(&self.inner, pressure).await;
    }

    /// Joins the line of a sale. Who is in it already has the place that they had.
    pub async fn join(&self, sale: &Sale, user: &UserId) -> Result<Ticket, RoomError> {
        let rules = sale.waiting_room.ok_or(RoomError::NoRoom)?;
        let now = self.inner.clock.now();
        let early_ms = i64::from(rules.pre_queue_seconds) * 1_000;
        match sale.refusal(now) {
            Some(Reason::SaleNotStarted) if sale.starts_at.millis() - early_ms <= now.millis() => {}
            Some(reason) => return Err(RoomError::Refused(reason)),
            None => {}
        }
        let mut ticket = self.ticket(sale.id, user).await?;
        // A place that is over is nobody's hindrance.
        if self.place(&ticket).await? == Place::Missed {
            self.inner.rooms.leave(sale.id, user, ticket.index).await?;
            ticket = self.ticket(sale.id, user).await?;
        }
        Ok(ticket)
    }

    async fn ticket(&self, sale_id: SaleId, user: &UserId) -> Result<Ticket, RoomError> {
        let index = self.joining.submit((sale_id, user.clone())).await??;
        let joined_at = self.inner.clock.now();
        Ok(Ticket { sale_id, user_id: user.clone(), index, joined_at })
    }

    /// The ticket of a user who is in the line.
    pub async fn find(&self, sale_id: SaleId, user: &UserId) -> Result<Option<Ticket>, RoomError> {
        let users = std::slice::from_ref(user);
        let found = self.inner.rooms.find(sale_id, users).await?.into_iter().flatten().next();
        let joined_at = self.inner.clock.now();
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
            Standing::Called => {
                let let_in = self.entering.submit((ticket.sale_id, ticket.index)).await??;
                let Some(at_ms) = let_in else { return Ok(Place::Missed) };
                let expires_at = pass_ends(at_ms, &state.rules);
                let Ticket { sale_id, user_id, index, .. } = ticket.clone();
                let good = self.inner.clock.now() < expires_at;
                let pass = Pass { sale_id, user_id, index, expires_at };
                Ok(if good { Place::Inside(pass) } else { Place::Missed })
            }
        }
    }

    /// Notes that the owner of a ticket is there.
    pub fn hear(&self, ticket: &Ticket) {
        if let Some(hall) = self.inner.halls().get(&ticket.sale_id) {
            hall.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket.index);
        }
    }

    /// Gives a place up.
    pub async fn leave(&self, ticket: &Ticket) -> Result<(), RoomError> {
        let Ticket { sale_id, user_id, index, .. } = ticket;
        Ok(self.inner.rooms.leave(*sale_id, user_id, *index).await?)
    }

    /// The state of a line, now and whenever it changes.
    pub fn watch(&self, sale: SaleId) -> watch::Receiver<Option<RoomState>> {
        self.inner.hall(sale).state.subscribe()
    }

    /// The state of a line.
    pub async fn state(&self, sale: SaleId) -> Result<RoomState, RoomError> {
        let mut states = self.watch(sale);
        let known = tokio::time::timeout(PATIENCE, states.wait_for(Option::is_some)).await;
        let state = known.ok().and_then(Result::ok).and_then(|state| *state);
        state.ok_or_else(|| RoomError::Unavailable("the line is not known yet".into()))
    }

    /// The signed text of a ticket.
    pub fn seal_ticket(&self, ticket: &Ticket) -> Result<String, RoomError> {
        Ok(self.inner.seal()?.ticket(ticket))
    }

    /// The ticket of a signed text; none where it is not one of ours.
    pub fn open_ticket(&self, text: &str) -> Result<Option<Ticket>, RoomError> {
        Ok(self.inner.seal()?.open_ticket(text).ok())
    }

    /// The signed text of a pass.
    pub fn seal_pass(&self, pass: &Pass) -> Result<String, RoomError> {
        Ok(self.inner.seal()?.pass(pass))
    }
}

impl Inner {
    fn halls(&self) -> MutexGuard<'_, HashMap<SaleId, Arc<Hall>>> {
        self.halls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hall(&self, sale: SaleId) -> Arc<Hall> {
        let mut halls = self.halls();
        let hall = halls.entry(sale).or_insert_with(|| {
            let state = watch::Sender::new(None);
            Arc::new(Hall { state, heard: Mutex::default(), history: Mutex::default() })
        });
        Arc::clone(hall)
    }

    fn seal(&self) -> Result<&crate::domain::room::Seal, RoomError> {
        let unknown = || RoomError::Unavailable("the tracking key is not loaded yet".into());
        self.keys.seal().ok_or_else(unknown)
    }

    /// The sale and its rules, as far as the catalogue has them.
    fn sale(&self, id: SaleId) -> Result<(Sale, RoomRules), RoomError> {
        let sale = self.boards.catalogue.current().and_then(|known| known.sale(id).cloned());
        let sale = sale.ok_or(RoomError::NoRoom)?;
        let rules = sale.waiting_room.ok_or(RoomError::NoRoom)?;
        Ok((sale, rules))
    }

    /// Makes the line of a sale, or makes it anew where it was lost: it goes on from the book.
    async fn restore(&self, sale: &Sale, rules: &RoomRules) -> Result<(), RoomError> {
        let page = self.book.reserve(sale.id, BLOCK).await?;
        let now = self.clock.now();
        let joined = page.reserved.saturating_sub(BLOCK);
        // Once the sale is open, whoever comes is behind whoever came before.
        let draw = match page.draw {
            None if sale.starts_at <= now => {
                Some(self.book.shuffle(sale.id, &usher::draw(joined)).await?)
            }
            draw => draw,
        };
        let line = Line {
            joined,
            reserved: page.reserved,
            draw,
            admitted: page.admitted,
            // Of a line that was lost everybody is taken to be there until they had time to say so.
            since_ms: if joined > 0 { now.millis() } else { 0 },
            ..Line::default()
        };
        let forget_ms = sale.ends_at.millis() + KEPT_MS;
        let let_in = let_in_before(&line, &page, rules);
        Ok(self.rooms.restore(sale.id, &line, &let_in, forget_ms).await?)
    }

    /// Reserves so many more indexes, and a block.
    async fn reserve(&self, sale: SaleId, more: u64) -> Result<(), RoomError> {
        let page = self.book.reserve(sale, BLOCK + more).await?;
        Ok(self.rooms.reserve(sale, page.reserved).await?)
    }

    async fn join(&self, sale_id: SaleId, users: &[UserId]) -> Result<Vec<Joined>, RoomError> {
        let now_ms = self.clock.now().millis();
        if let Some(joined) = self.rooms.join(sale_id, users, now_ms).await? {
            return Ok(joined);
        }
        let (sale, rules) = self.sale(sale_id)?;
        self.restore(&sale, &rules).await?;
        let joined = self.rooms.join(sale_id, users, now_ms).await?;
        joined.ok_or_else(|| RoomError::Unavailable("the line was lost".into()))
    }
}

/// Who was let in lately, by the book.
fn let_in_before(line: &Line, page: &RoomPage, rules: &RoomRules) -> Vec<LetIn> {
    let Some(Draw { count, seed }) = line.draw else { return vec![] };
    let shuffle = crate::domain::room::Shuffle::new(count, seed);
    let of = |call: &crate::ports::rooms::RoomCall| LetIn {
        indexes: (call.from..call.to).map(|number| shuffle.back(number)).collect(),
        at_ms: call.at_ms,
        until_ms: pass_ends(call.at_ms, rules).millis(),
    };
    // The first call of a number counts: later ones are repeated first.
    page.calls.iter().rev().map(of).collect()
}

/// Joins everybody who asked, in order; one call per sale, mostly.
async fn join(inner: Arc<Inner>, asked: Vec<(SaleId, UserId)>) -> Vec<Index> {
    let mut answers: Vec<Option<Index>> = vec![None; asked.len()];
    for _ in 0..TRIES {
        let mut by_sale: HashMap<SaleId, Vec<usize>> = HashMap::new();
        for (at, (sale, _)) in asked.iter().enumerate().filter(|(at, _)| answers[*at].is_none()) {
            by_sale.entry(*sale).or_default().push(at);
        }
        for (sale, places) in by_sale {
            let users: Vec<_> = places.iter().map(|at| asked[*at].1.clone()).collect();
            match inner.join(sale, &users).await {
                Ok(joined) => {
                    for (at, joined) in places.iter().zip(&joined) {
                        if let Joined::At(index) = joined {
                            answers[*at] = Some(Ok(*index));
                        }
                    }
                    let short = joined.iter().filter(|joined| **joined == Joined::Short).count();
                    if short > 0
                        && let Err(error) = inner.reserve(sale, short as u64).await
                    {
                        fail(&mut answers, &places, &error);
                    }
                }
                Err(error) => fail(&mut answers, &places, &error),
            }
        }
    }
    let full = || Err(RoomError::Line(LineError::Full));
    answers.into_iter().map(|answer| answer.unwrap_or_else(full)).collect()
}

fn fail(answers: &mut [Option<Index>], places: &[usize], error: &RoomError) {
    for at in places {
        answers[*at].get_or_insert_with(|| Err(error.clone()));
    }
}

async fn let_in(inner: Arc<Inner>, asked: Vec<(SaleId, u64)>) -> Vec<LetInAt> {
    let mut by_sale: HashMap<SaleId, Vec<u64>> = HashMap::new();
    for (sale, index) in &asked {
        by_sale.entry(*sale).or_default().push(*index);
    }
    let mut known: HashMap<(SaleId, u64), LetInAt> = HashMap::new();
    for (sale, indexes) in by_sale {
        match inner.rooms.let_in(sale, &indexes).await {
            Ok(moments) => {
                let pairs = indexes.into_iter().zip(moments);
                known.extend(pairs.map(|(index, at)| ((sale, index), Ok(at))));
            }
            Err(error) => {
                let failed = indexes.into_iter().map(|index| ((sale, index), Err(error.clone())));
                known.extend(failed);
            }
        }
    }
    let missing = || Err(RoomsError("no answer".into()));
    asked.iter().map(|asked| known.get(asked).cloned().unwrap_or_else(missing)).collect()
}

impl Stage {
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
