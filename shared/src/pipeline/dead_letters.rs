//! What an operator has done with dead letters, with one or with many.
//!
//! A replay is noted in the ledger first and published then: nothing happens that the log does not
//! know of, and a letter whose publish failed still waits.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::domain::Actor;
use crate::failpoints;
use crate::ports::{
    Ledger, LedgerError, LetterAct, LetterId, LetterMoved, LetterQuery, LetterRef, PurchaseQueue,
    QueueError,
};

/// Letters read at once.
const PAGE: usize = 200;

/// Why a letter was left as it is.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LetterError {
    /// The ledger refuses it, or is away.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The broker did not take the purchase: it may have arrived all the same. Replaying again is safe.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Which letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All that wait; of those to be replayed, all that can be.
    All,
    /// These.
    These(Vec<LetterRef>),
}

/// An operator at work.
#[derive(Clone, Copy)]
pub struct Operation<'a> {
    /// Where the letters are kept.
    pub ledger: &'a dyn Ledger,
    /// Where replayed purchases go.
    pub queue: &'a dyn PurchaseQueue,
    /// What is done.
    pub act: LetterAct,
    /// Who does it, for the log.
    pub who: &'a Actor,
}

/// How much at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Letters replayed per second, at most. Discarding needs no pace.
    pub per_second: NonZeroU32,
    /// No letter is begun after this moment.
    pub until: Option<Instant>,
}

/// What became of one letter.
pub type Outcome = (LetterRef, Result<LetterMoved, LedgerError>);

impl Operation<'_> {
    /// Deals with one letter.
    pub async fn one(&self, letter: LetterRef) -> Result<LetterMoved, LetterError> {
        if self.act == LetterAct::Discard {
            return Ok(self.ledger.discard_letter(letter, self.who).await?);
        }
        let moved = self.ledger.replay_letter(letter, self.who).await?;
        failpoints::reach("replay.noted").await;
        if let Some(purchase) = moved.letter.replay().filter(|_| moved.changed) {
            self.queue.publish(&[purchase]).await?;
        }
        Ok(moved)
    }

    /// Deals with many, oldest first, from after letter `after` on, and tells `see` of each. Refusals
    /// stop nothing; without the ledger or the broker it ends. Answers the last letter that was dealt
    /// with where the time was up before all were.
    pub async fn many(
        &self,
        which: &Which,
        after: LetterId,
        pace: Pace,
        see: &mut (dyn FnMut(Outcome) + Send),
    ) -> Result<Option<LetterId>, LetterError> {
        let mut ticks = interval(Duration::from_secs(1) / pace.per_second.get());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = after;
        loop {
            let page = match which {
                Which::All => self.page(last).await?,
                Which::These(letters) => self.numbers(letters, last, see).await?,
            };
            for &letter in &page {
                if pace.until.is_some_and(|until| until <= Instant::now()) {
                    return Ok(Some(last));
                }
                self.next(letter, &mut ticks, see).await?;
                last = letter;
            }
            if page.is_empty() || *which != Which::All {
                return Ok(None);
            }
        }
    }

    async fn next(
        &self,
        letter: LetterId,
        ticks: &mut Interval,
        see: &mut (dyn FnMut(Outcome) + Send),
    ) -> Result<(), LetterError> {
        if self.act == LetterAct::Replay {
            ticks.tick().await;
        }
        let letter = LetterRef::Id(letter);
        match self.one(letter).await {
            Ok(moved) => see((letter, Ok(moved))),
            Err(LetterError::Ledger(refusal)) if refusal.is_about_letters() => {
                see((letter, Err(refusal)));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The next letters that wait.
    async fn page(&self, mut after: LetterId) -> Result<Vec<LetterId>, LedgerError> {
        loop {
            let query = LetterQuery { open: true, after, limit: PAGE };
            let found = self.ledger.letters(&query).await?;
            let Some(last) = found.last() else { return Ok(Vec::new()) };
            after = last.id;
            let wanted = found.iter().filter(|letter| {
                self.act == LetterAct::Discard || letter.is_to_be_replayed().is_ok()
            });
            let wanted: Vec<_> = wanted.map(|letter| letter.id).collect();
            if !wanted.is_empty() {
                return Ok(wanted);
            }
        }
    }

    /// The numbers of these letters after `after`, in order, each once.
    async fn numbers(
        &self,
        letters: &[LetterRef],
        after: LetterId,
        see: &mut (dyn FnMut(Outcome) + Send),
    ) -> Result<Vec<LetterId>, LedgerError> {
        let mut numbers = Vec::with_capacity(letters.len());
        for &letter in letters {
            match self.ledger.letter(letter).await? {
                Some(found) => numbers.push(found.id),
                None => see((letter, Err(LedgerError::LetterNotFound))),
            }
        }
        numbers.retain(|number| *number > after);
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }
}
