//! Group commit: whatever has arrived while the previous round trip was under way makes up the
//! next one. Nobody waits for a batch to fill.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

/// The bounds of a group commit.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Items waiting; more are turned away at once.
    pub line_max: NonZeroUsize,
    /// Items in one round.
    pub batch_max: NonZeroUsize,
    /// Rounds under way at once.
    pub rounds: NonZeroUsize,
}

/// Why an item was not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The line is full: come back later.
    #[error("the waiting line is full")]
    Full,
    /// The program is shutting down, or the round failed without an answer.
    #[error("the round ended without an answer")]
    Closed,
}

struct Waiting<T, R> {
    item: T,
    answer: oneshot::Sender<R>,
}

/// A bounded line of items in front of a batch operation. Dropping the last handle lets the rounds
/// under way finish and ends the line.
pub struct GroupCommit<T, R> {
    line: mpsc::Sender<Waiting<T, R>>,
}

impl<T, R> Clone for GroupCommit<T, R> {
    fn clone(&self) -> Self {
        Self { line: self.line.clone() }
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
        tokio::spawn(run(waiting, bounds, Arc::new(commit)));
        Self { line }
    }

    /// Puts `item` in line and waits for its answer. An item whose caller has gone away before its
    /// round begins is dropped: nobody would hear the answer.
    pub async fn submit(&self, item: T) -> Result<R, LineError> {
        let (answer, answered) = oneshot::channel();
        self.line.try_send(Waiting { item, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LineError::Full,
            mpsc::error::TrySendError::Closed(_) => LineError::Closed,
        })?;
        answered.await.map_err(|_| LineError::Closed)
    }

    /// Items waiting for a round.
    pub fn waiting(&self) -> usize {
        self.line.max_capacity() - self.line.capacity()
    }
}

async fn run<T, R, C, F>(mut line: mpsc::Receiver<Waiting<T, R>>, bounds: Bounds, commit: Arc<C>)
where
    T: Send + 'static,
    R: Send + 'static,
    C: Fn(Vec<T>) -> F + Send + Sync + 'static,
    F: Future<Output = Vec<R>> + Send + 'static,
{
    let rounds = Arc::new(Semaphore::new(bounds.rounds.get()));
    // A place first, then the batch: what arrives while every round is busy gathers in the line.
    while let Ok(place) = Arc::clone(&rounds).acquire_owned().await {
        let mut batch = Vec::new();
        if line.recv_many(&mut batch, bounds.batch_max.get()).await == 0 {
            return;
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

    fn bounds(line_max: usize, batch_max: usize, rounds: usize) -> Bounds {
        let size = |n| NonZeroUsize::new(n).unwrap();
        Bounds { line_max: size(line_max), batch_max: size(batch_max), rounds: size(rounds) }
    }

    #[tokio::test]
    async fn what_arrives_during_a_round_makes_up_the_next_one() {
        let (seen, gate) = (Arc::new(Mutex::new(vec![])), Arc::new(Semaphore::new(0)));
        let line = GroupCommit::start(bounds(100, 100, 1), {
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
        let line = GroupCommit::start(bounds(1, 1, 1), |batch: Vec<u32>| async move {
            std::future::pending::<()>().await;
            batch
        });
        // The round never ends, so at most one item is under way and one waits.
        let mut submitted: Vec<_> = (0..3).map(|n| Box::pin(line.submit(n))).collect();
        let (first, ..) = futures::future::select_all(submitted.drain(..)).await;
        assert_eq!(first, Err(LineError::Full));
    }

    #[tokio::test]
    async fn a_round_that_panics_answers_its_callers() {
        let line = GroupCommit::start(bounds(8, 8, 1), |batch: Vec<u32>| async move {
            assert!(batch[0] != 1, "a defect");
            batch
        });
        assert_eq!(line.submit(1).await, Err(LineError::Closed));
        assert_eq!(line.submit(2).await, Ok(2));
    }
}
