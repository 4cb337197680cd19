//! Group commit: whatever has arrived while the previous round trip was under way makes up the
//! next one. Nobody waits for a batch to fill.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::counter;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

/// The bounds of a group commit.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Items waiting; more are turned away at once.
    pub line_max: NonZeroUsize,
    /// Whoever would wait for longer than this does not join the line: a quick no is worth more
    /// than a yes that comes too late.
    pub wait_max: Duration,
    /// Items in one round.
    pub batch_max: NonZeroUsize,
    /// Rounds under way at once.
    pub rounds: NonZeroUsize,
}

impl Bounds {
    /// Where one may wait for as long as there is a place: `line_max` items waiting, `batch_max` in
    /// one round, `rounds` under way at once; each at least 1.
    pub const fn patient(line_max: usize, batch_max: usize, rounds: usize) -> Self {
        let (line_max, batch_max) = (at_least_one(line_max), at_least_one(batch_max));
        Self { line_max, wait_max: Duration::MAX, batch_max, rounds: at_least_one(rounds) }
    }
}

const fn at_least_one(n: usize) -> NonZeroUsize {
    match NonZeroUsize::new(n) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    }
}

/// Why an item was not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Too many are in line, or for too long: come back later.
    #[error("the waiting line is full")]
    Full,
    /// The program is shutting down, or the round failed without an answer.
    #[error("the round ended without an answer")]
    Closed,
}

struct Waiting<T, R> {
    item: T,
    joined: Instant,
    answer: oneshot::Sender<R>,
}

/// How the line moves, in microseconds.
struct Pace {
    began: Instant,
    /// When the first in line joined it, or the one before it.
    head_us: AtomicU64,
    /// From the beginning of a round to that of the next while items wait: an average in which the
    /// latest round has a quarter.
    round_us: AtomicU64,
}

impl Pace {
    fn new() -> Self {
        Self { began: Instant::now(), head_us: AtomicU64::new(0), round_us: AtomicU64::new(0) }
    }

    fn since_began_us(&self, at: Instant) -> u64 {
        at.duration_since(self.began).as_micros() as u64
    }

    /// Whoever is first now joined at `joined` or later.
    fn head(&self, joined: Instant) {
        self.head_us.fetch_max(self.since_began_us(joined), Ordering::AcqRel);
    }

    fn round(&self, took: Duration) {
        let average = self.round_us.load(Ordering::Acquire);
        let average = average - average / 4 + took.as_micros() as u64 / 4;
        self.round_us.store(average, Ordering::Release);
    }

    /// How long an item that joins behind `rounds` may be expected to wait: as long as the first in
    /// line has waited, or as long as that many rounds took lately.
    fn wait(&self, now: Instant, rounds: usize) -> Duration {
        let first = self.since_began_us(now).saturating_sub(self.head_us.load(Ordering::Acquire));
        let ahead = self.round_us.load(Ordering::Acquire).saturating_mul(rounds as u64);
        Duration::from_micros(first.max(ahead))
    }
}

/// A bounded line of items in front of a batch operation. Dropping the last handle lets the rounds
/// under way finish and ends the line.
pub struct GroupCommit<T, R> {
    line: mpsc::Sender<Waiting<T, R>>,
    pace: Arc<Pace>,
    bounds: Bounds,
}

impl<T, R> Clone for GroupCommit<T, R> {
    fn clone(&self) -> Self {
        Self { line: self.line.clone(), pace: Arc::clone(&self.pace), bounds: self.bounds }
    }
}

impl<T: Send + 'static, R: Send + 'static> GroupCommit<T, R> {
    /// Starts the line. `commit` gets a batch in order of arrival and answers each item in turn.
    pub fn start<C, F>(bounds: Bounds, commit: C) -> Self
    where
        C: Fn(Vec<T>) -> F + Send + Sync + 'static,
        F: Future<Output = Vec<R>> + Send + 'static,
    {
        let (line, waiting) = mpsc::channel(bounds.line_max.get());
        let pace = Arc::new(Pace::new());
        tokio::spawn(run(waiting, Arc::clone(&pace), bounds, Arc::new(commit)));
        Self { line, pace, bounds }
    }

    /// Puts `item` in line and waits for its answer. An item whose caller has gone away before its
    /// round begins is dropped: nobody would hear the answer.
    pub async fn submit(&self, item: T) -> Result<R, LineError> {
        let joined = self.room()?;
        let (answer, answered) = oneshot::channel();
        self.line.try_send(Waiting { item, joined, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => turned_away(),
            mpsc::error::TrySendError::Closed(_) => LineError::Closed,
        })?;
        answered.await.map_err(|_| LineError::Closed)
    }

    /// Whether an item could join the line now, for those who have something to do before it; gives
    /// the moment.
    pub fn room(&self) -> Result<Instant, LineError> {
        let (now, waiting) = (Instant::now(), self.waiting());
        if waiting == 0 {
            self.pace.head(now);
            return Ok(now);
        }
        if self.is_full_for(waiting, now) {
            return Err(turned_away());
        }
        Ok(now)
    }

    /// Whether nobody could join the line now.
    pub fn is_full(&self) -> bool {
        self.is_full_for(self.waiting(), Instant::now())
    }

    fn is_full_for(&self, waiting: usize, now: Instant) -> bool {
        let rounds = waiting / self.bounds.batch_max;
        let full = waiting >= self.bounds.line_max.get();
        waiting > 0 && (full || self.pace.wait(now, rounds) > self.bounds.wait_max)
    }

    /// Items waiting for a round.
    pub fn waiting(&self) -> usize {
        self.line.max_capacity() - self.line.capacity()
    }
}

fn turned_away() -> LineError {
    counter!("doorbuster_turned_away_total").increment(1);
    LineError::Full
}

async fn run<T, R, C, F>(
    mut line: mpsc::Receiver<Waiting<T, R>>,
    pace: Arc<Pace>,
    bounds: Bounds,
    commit: Arc<C>,
) where
    T: Send + 'static,
    R: Send + 'static,
    C: Fn(Vec<T>) -> F + Send + Sync + 'static,
    F: Future<Output = Vec<R>> + Send + 'static,
{
    let rounds = Arc::new(Semaphore::new(bounds.rounds.get()));
    let mut taken_at = Instant::now();
    // A place first, then the batch: what arrives while every round is busy gathers in the line.
    while let Ok(place) = Arc::clone(&rounds).acquire_owned().await {
        let mut batch = Vec::new();
        if line.recv_many(&mut batch, bounds.batch_max.get()).await == 0 {
            return;
        }
        let before = std::mem::replace(&mut taken_at, Instant::now());
        if let (Some(first), Some(last)) = (batch.first(), batch.last()) {
            pace.round(taken_at - before.max(first.joined));
            // Whoever is still in line joined it later.
            pace.head(last.joined);
        }
        batch.retain(|waiting| !waiting.answer.is_closed());
        if batch.is_empty() {
            continue;
        }
        let commit = Arc::clone(&commit);
        tokio::spawn(async move {
            let (items, answers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.item, waiting.answer)).unzip();
            for (answer, result) in answers.into_iter().zip(commit(items).await) {
                let _ = answer.send(result);
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::future::join_all;

    use super::*;

    /// A line whose rounds end when they are let.
    fn gated(bounds: Bounds) -> (GroupCommit<u32, u32>, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        let opened = Arc::clone(&gate);
        let line = GroupCommit::start(bounds, move |batch: Vec<u32>| {
            let gate = Arc::clone(&opened);
            async move {
                gate.acquire().await.unwrap().forget();
                batch
            }
        });
        (line, gate)
    }

    #[tokio::test]
    async fn what_arrives_during_a_round_makes_up_the_next_one() {
        let (seen, gate) = (Arc::new(Mutex::new(vec![])), Arc::new(Semaphore::new(0)));
        let line = GroupCommit::start(Bounds::patient(100, 100, 1), {
            let (seen, gate) = (Arc::clone(&seen), Arc::clone(&gate));
            move |batch: Vec<u32>| {
                seen.lock().unwrap().push(batch.len());
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.unwrap().forget();
                    batch
                }
            }
        });
        let first = tokio::spawn({
            let line = line.clone();
            async move { line.submit(0).await }
        });
        while seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let rest = join_all((1..=5).map(|n| line.submit(n)));
        let opener = async { gate.add_permits(2) };
        let (answers, ()) = tokio::join!(rest, opener);
        assert_eq!(first.await.unwrap(), Ok(0));
        assert_eq!(answers, (1..=5).map(Ok).collect::<Vec<_>>());
        assert_eq!(*seen.lock().unwrap(), [1, 5]);
    }

    #[tokio::test]
    async fn a_full_line_turns_away_at_once() {
        let line = GroupCommit::start(Bounds::patient(1, 1, 1), |batch: Vec<u32>| async move {
            std::future::pending::<()>().await;
            batch
        });
        // The round never ends, so at most one item is under way and one waits.
        let mut submitted: Vec<_> = (0..3).map(|n| Box::pin(line.submit(n))).collect();
        let (first, ..) = futures::future::select_all(submitted.drain(..)).await;
        assert_eq!(first, Err(LineError::Full));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_joins_a_line_whose_first_has_waited_for_too_long() {
        let bounds =
            Bounds { wait_max: Duration::from_millis(250), ..Bounds::patient(100, 100, 1) };
        let (line, gate) = gated(bounds);
        let join = |n| {
            let line = line.clone();
            tokio::spawn(async move { line.submit(n).await })
        };
        let pass = async |ms| tokio::time::sleep(Duration::from_millis(ms)).await;
        let under_way = join(1);
        pass(1_000).await;
        // However long the round takes, a line that is empty can be joined.
        let first = join(2);
        pass(200).await;
        let second = join(3);
        pass(51).await;
        assert_eq!(line.room().unwrap_err(), LineError::Full);
        assert_eq!(line.submit(4).await, Err(LineError::Full));
        // Both have their turn.
        gate.add_permits(1);
        assert_eq!(under_way.await.unwrap(), Ok(1));
        pass(1).await;
        let third = join(5);
        pass(1).await;
        gate.add_permits(2);
        for (answer, n) in [(first, 2), (second, 3), (third, 5)] {
            assert_eq!(answer.await.unwrap(), Ok(n));
        }
        assert!(line.room().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_joins_a_line_that_takes_too_long_for_them() {
        let bounds = Bounds { wait_max: Duration::from_millis(250), ..Bounds::patient(100, 2, 1) };
        let line = GroupCommit::start(bounds, async |batch: Vec<u32>| {
            tokio::time::sleep(Duration::from_millis(100)).await;
            batch
        });
        // The line learns how long its rounds take: of a crowd that comes at once later, those join
        // who will have had their turn in time.
        let crowd = async || join_all((0..20).map(|n| line.submit(n))).await;
        crowd().await;
        let began = Instant::now();
        let answers = crowd().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 6, "{answers:?}");
        assert_eq!(began.elapsed().as_millis(), 300);
    }

    #[tokio::test]
    async fn a_round_that_panics_answers_its_callers() {
        let line = GroupCommit::start(Bounds::patient(8, 8, 1), |batch: Vec<u32>| async move {
            assert!(batch[0] != 1, "a defect");
            batch
        });
        assert_eq!(line.submit(1).await, Err(LineError::Closed));
        assert_eq!(line.submit(2).await, Ok(2));
    }
}
