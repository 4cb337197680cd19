//! The lines of all sales: kept by Redis, made anew from the ledger's book where they are lost, and shown to
//! those of this instance who wait.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::info;

use super::{RoomError, RoomState, usher};
use crate::boards::Boards;
use crate::domain::room::{Draw, Line, RoomRules, Shuffle, pass_ends};
use crate::domain::{Sale, SaleId, UserId};
use crate::pipeline::group_commit::LineError;
use crate::ports::rooms::{Joined, LetIn, RoomBook, RoomCall, RoomPage, Rooms, RoomsError};
use crate::ports::{Clock, LedgerClock};

/// Indexes reserved at a time. What is left of them when the line is lost is a gap in it that nobody fills.
pub(super) const BLOCK: u64 = 1_000;
/// Others may take what was reserved: tried so often.
const TRIES: usize = 5;
/// A line is kept for so long after its sale.
const KEPT_MS: i64 = 24 * 3_600 * 1_000;

/// Whoever is making a line has so long for it: after that another one does, and what was reserved is a gap.
const RESTORING_MS: i64 = 2_000;
/// How often those look who wait for it.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The place that a user got.
pub(super) type Index = Result<u64, RoomError>;
/// When a place was let in; none where it was not.
pub(super) type LetInAt = Result<Option<i64>, RoomsError>;

/// The state of a line, and who has been heard of since it was last told.
pub(super) struct Hall {
    pub(super) state: watch::Sender<Option<RoomState>>,
    pub(super) heard: Mutex<HashMap<u64, UserId>>,
    /// How far numbers were called lately, and when.
    pub(super) history: Mutex<VecDeque<(i64, u64)>>,
}

pub(super) struct Lines {
    pub(super) rooms: Arc<dyn Rooms>,
    pub(super) book: Arc<dyn RoomBook>,
    pub(super) boards: Arc<Boards>,
    pub(super) clock: Arc<LedgerClock>,
    halls: Mutex<HashMap<SaleId, Arc<Hall>>>,
}

impl Lines {
    pub(super) fn new(
        rooms: Arc<dyn Rooms>,
        book: Arc<dyn RoomBook>,
        boards: Arc<Boards>,
        clock: Arc<LedgerClock>,
    ) -> Self {
        Self { rooms, book, boards, clock, halls: Mutex::default() }
    }

    pub(super) fn halls(&self) -> MutexGuard<'_, HashMap<SaleId, Arc<Hall>>> {
        self.halls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hall(&self, sale: SaleId) -> Arc<Hall> {
        let mut halls = self.halls();
        let hall = halls.entry(sale).or_insert_with(|| {
            let state = watch::Sender::new(None);
            Arc::new(Hall { state, heard: Mutex::default(), history: Mutex::default() })
        });
        Arc::clone(hall)
    }

    /// The line of a sale, made anew where it was lost.
    pub(super) async fn look(&self, sale: &Sale, rules: &RoomRules) -> Result<Line, RoomError> {
        let now_ms = || self.clock.now().millis();
        if let Some(line) = self.rooms.look(sale.id, now_ms()).await? {
            return Ok(line);
        }
        self.restore(sale, rules).await?;
        let line = self.rooms.look(sale.id, now_ms()).await?;
        line.ok_or_else(|| RoomError::Unavailable("the line was lost".into()))
    }

    /// Makes the line of a sale, or makes it anew where it was lost: it goes on from the book. One caller does, for
    /// what each would reserve is a gap in front of the line that is made first: places of nobody, let in before
    /// anybody else.
    async fn restore(&self, sale: &Sale, rules: &RoomRules) -> Result<(), RoomError> {
        loop {
            let now_ms = self.clock.now().millis();
            if self.rooms.may_restore(sale.id, now_ms, now_ms + RESTORING_MS).await? {
                return self.restore_alone(sale, rules).await;
            }
            sleep(LOOK_AGAIN).await;
            if self.rooms.look(sale.id, now_ms).await?.is_some() {
                return Ok(());
            }
        }
    }

    async fn restore_alone(&self, sale: &Sale, rules: &RoomRules) -> Result<(), RoomError> {
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
        self.rooms.restore(sale.id, &line, &let_in, forget_ms).await?;
        info!(sale = %sale.id, joined, "the line of a waiting room is made from the book");
        Ok(())
    }

    /// Reserves so many more indexes, and a block.
    pub(super) async fn reserve(&self, sale: SaleId, more: u64) -> Result<(), RoomError> {
        let page = self.book.reserve(sale, BLOCK + more).await?;
        Ok(self.rooms.reserve(sale, page.reserved).await?)
    }

    /// Joins everybody who asked, in order; one call per sale, mostly.
    pub(super) async fn join(self: Arc<Self>, asked: Vec<(SaleId, UserId)>) -> Vec<Index> {
        let mut answers: Vec<Option<Index>> = vec![None; asked.len()];
        for _ in 0..TRIES {
            let mut by_sale: HashMap<SaleId, Vec<usize>> = HashMap::new();
            for (at, (sale, _)) in asked.iter().enumerate().filter(|(at, _)| answers[*at].is_none())
            {
                by_sale.entry(*sale).or_default().push(at);
            }
            for (sale, places) in by_sale {
                let users: Vec<_> = places.iter().map(|at| asked[*at].1.clone()).collect();
                match self.join_one(sale, &users).await {
                    Ok(joined) => {
                        for (at, joined) in places.iter().zip(&joined) {
                            if let Joined::At(index) = joined {
                                answers[*at] = Some(Ok(*index));
                            }
                        }
                        let short = joined.iter().filter(|one| **one == Joined::Short).count();
                        if short > 0
                            && let Err(error) = self.reserve(sale, short as u64).await
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

    /// Joins users to one line, which is made anew where it was lost.
    async fn join_one(&self, id: SaleId, users: &[UserId]) -> Result<Vec<Joined>, RoomError> {
        let now_ms = self.clock.now().millis();
        let mut joined = self.rooms.join(id, users, now_ms).await?;
        if joined.is_none() {
            let (sale, rules) = self.sale(id)?;
            self.restore(&sale, &rules).await?;
            joined = self.rooms.join(id, users, now_ms).await?;
        }
        joined.ok_or_else(|| RoomError::Unavailable("the line was lost".into()))
    }

    /// The sale and its rules, as far as the catalogue has them.
    fn sale(&self, id: SaleId) -> Result<(Sale, RoomRules), RoomError> {
        let sale = self.boards.catalogue.current().and_then(|known| known.sale(id).cloned());
        let sale = sale.ok_or(RoomError::NoRoom)?;
        let rules = sale.waiting_room.ok_or(RoomError::NoRoom)?;
        Ok((sale, rules))
    }

    /// When each was let in; one call per sale, mostly.
    pub(super) async fn let_in(self: Arc<Self>, asked: Vec<(SaleId, u64)>) -> Vec<LetInAt> {
        let mut by_sale: HashMap<SaleId, Vec<u64>> = HashMap::new();
        for (sale, index) in &asked {
            by_sale.entry(*sale).or_default().push(*index);
        }
        let mut known: HashMap<(SaleId, u64), LetInAt> = HashMap::new();
        for (sale, indexes) in by_sale {
            match self.rooms.let_in(sale, &indexes).await {
                Ok(moments) => {
                    let pairs = indexes.into_iter().zip(moments);
                    known.extend(pairs.map(|(index, at)| ((sale, index), Ok(at))));
                }
                Err(error) => {
                    let failed =
                        indexes.into_iter().map(|index| ((sale, index), Err(error.clone())));
                    known.extend(failed);
                }
            }
        }
        let missing = || Err(RoomsError("no answer".into()));
        asked.iter().map(|asked| known.get(asked).cloned().unwrap_or_else(missing)).collect()
    }
}

/// Those who have no answer yet get this one.
fn fail(answers: &mut [Option<Index>], places: &[usize], error: &RoomError) {
    for at in places {
        answers[*at].get_or_insert_with(|| Err(error.clone()));
    }
}

/// Who was let in lately, by the book.
fn let_in_before(line: &Line, page: &RoomPage, rules: &RoomRules) -> Vec<LetIn> {
    let Some(Draw { count, seed }) = line.draw else { return vec![] };
    let shuffle = Shuffle::new(count, seed);
    let of = |call: &RoomCall| LetIn {
        indexes: (call.from..call.to).map(|number| shuffle.back(number)).collect(),
        at_ms: call.at_ms,
        until_ms: pass_ends(call.at_ms, rules).millis(),
    };
    // The first call of a number counts: later ones are repeated first.
    page.calls.iter().rev().map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::SeqCst;

    use async_trait::async_trait;
    use futures::future::join_all;

    use super::*;
    use crate::adapters::embedded::{EmbeddedLedger, EmbeddedRooms};
    use crate::domain::testing::sale;
    use crate::ports::{LedgerError, SystemClock};

    /// Reserves at once and tells whoever asked first of it last.
    struct LateForTheFirst {
        book: EmbeddedLedger,
        asked: AtomicU32,
    }

    #[async_trait]
    impl RoomBook for LateForTheFirst {
        async fn reserve(&self, sale: SaleId, count: u64) -> Result<RoomPage, LedgerError> {
            let page = self.book.reserve(sale, count).await;
            if self.asked.fetch_add(1, SeqCst) == 0 {
                sleep(Duration::from_millis(200)).await;
            }
            page
        }

        async fn call(
            &self,
            sale: SaleId,
            call: RoomCall,
            forget_before_ms: i64,
        ) -> Result<(), LedgerError> {
            self.book.call(sale, call, forget_before_ms).await
        }

        async fn shuffle(&self, sale: SaleId, draw: &Draw) -> Result<Draw, LedgerError> {
            self.book.shuffle(sale, draw).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_many_find_missing_begins_at_its_beginning() {
        let clock = Arc::new(SystemClock);
        let book = EmbeddedLedger::new(clock.clone());
        let book = Arc::new(LateForTheFirst { book, asked: AtomicU32::new(0) });
        let rooms = Arc::new(EmbeddedRooms::default());
        let boards = Arc::new(Boards::new(NonZeroUsize::MIN, Duration::from_secs(3_600)));
        let instance = || {
            let clock = Arc::new(LedgerClock::new(clock.clone()));
            Lines::new(rooms.clone(), book.clone(), Arc::clone(&boards), clock)
        };
        let instances: Vec<Lines> = (0..4).map(|_| instance()).collect();
        let sale = sale(7, 1, 0, clock.now().millis() + 3_600_000);
        let rules = RoomRules::default();
        let looks = instances.iter().map(|lines| lines.look(&sale, &rules));
        for line in join_all(looks).await {
            let line = line.unwrap();
            assert_eq!((line.joined, line.reserved), (0, BLOCK));
            assert_eq!(line.draw.map(|draw| draw.count), Some(0), "nobody came early");
        }
    }
}
