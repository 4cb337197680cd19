//! What the tasks of one run share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::client::Target;
use crate::shop::Stock;
use crate::stampede::answer::Outcome;
use crate::stampede::holds::errand::{Ending, Errand};
use crate::stampede::holds::intent::Intent;
use crate::stampede::plan::Plan;
use crate::stampede::strike::Half;
use crate::stampede::tally::Tally;

/// A request without an answer after this time is taken for a broken connection. The API itself
/// answers a synchronous purchase within 5 s.
const PATIENCE: Duration = Duration::from_secs(10);

/// One run: the plan, what it sells, and what has come of it so far.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) plan: Plan,
    pub(crate) targets: Arc<[Target]>,
    pub(crate) product: i64,
    /// Before the first buyer.
    pub(crate) before: Stock,
    pub(crate) half: Half,
    pub(crate) began_at: DateTime<Utc>,
    pub(crate) began: Instant,
    deadline: Instant,
    next_buyer: AtomicU64,
    tally: Mutex<Tally>,
}

impl Run {
    /// Starts the clock.
    pub(crate) fn begin(
        id: String,
        plan: Plan,
        targets: Arc<[Target]>,
        product: i64,
        before: Stock,
    ) -> Self {
        let began = Instant::now();
        let began_at = Utc::now();
        Self {
            half: Half::of(before),
            deadline: began + plan.timeout,
            next_buyer: AtomicU64::new(0),
            tally: Mutex::new(Tally::new(began)),
            id,
            plan,
            targets,
            product,
            before,
            began_at,
            began,
        }
    }

    /// The next buyer's number; `None` when all have come or time is up.
    pub(crate) fn next_buyer(&self) -> Option<u64> {
        if self.time_left().is_zero() {
            return None;
        }
        let number = self.next_buyer.fetch_add(1, Ordering::Relaxed);
        (number < self.plan.buyers).then_some(number)
    }

    /// Buyers who never came, because time was up.
    pub(crate) fn never_came(&self) -> u64 {
        self.plan.buyers.saturating_sub(self.next_buyer.load(Ordering::Relaxed))
    }

    pub(crate) fn user_id(&self, buyer: u64) -> String {
        format!("st-{}-{buyer}", self.id)
    }

    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// How long to wait for one answer.
    pub(crate) fn patience(&self) -> Duration {
        PATIENCE.min(self.time_left())
    }

    /// Waits for `pause`, but not past the end of the run.
    pub(crate) async fn pause(&self, pause: Duration) {
        tokio::time::sleep(pause.min(self.time_left())).await;
    }

    /// Never held across an await.
    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this buyer comes to do.
    pub(crate) fn intent(&self, buyer: u64) -> Intent {
        self.plan.holds.intent(buyer)
    }

    /// Counts an outcome and tells the striker; gives what is left to do with a hold.
    pub(crate) fn decided(&self, outcome: Outcome) -> Option<Errand> {
        let intent = self.intent(outcome.buyer);
        let (errand, promised) = {
            let mut tally = self.tally();
            (tally.decided(intent, outcome), tally.holds.promises.peak())
        };
        self.half.saw(self.before.taken() + self.plan.units(promised));
        errand
    }

    /// Counts how a holder's errand ended and tells the striker.
    pub(crate) fn errand_ended(&self, errand: &Errand, sent: Instant, ending: Ending) {
        let promised = {
            let mut tally = self.tally();
            tally.errand_ended(errand, sent, ending);
            tally.holds.promises.peak()
        };
        self.half.saw(self.before.taken() + self.plan.units(promised));
    }
}
