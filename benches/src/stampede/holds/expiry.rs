//! After the crowd: are the holds that nobody touched in the ledger, and do they come back in time?

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::figures::{ms, per_second};
use crate::shop::Shop;
use crate::stampede::error::StampedeError;
use crate::stampede::progress;
use crate::stampede::run::Run;

/// How long after the last deadline the units may take to be back, unless the plan says otherwise.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(10);
/// While holds run out the stock is looked at this often, and before that seldom.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOK_SELDOM: Duration = Duration::from_millis(250);

/// How the holds that ran out came back.
#[derive(Debug, Clone, Serialize)]
pub struct Expiry {
    /// From the end of the crowd until they were back, or time was up.
    pub waited_ms: f64,
    /// False if time was up first.
    pub all_back: bool,
    /// From the last `expiresAt` seen to the moment the last one was seen back; comparable only
    /// where the clocks agree.
    pub back_after_ms: Option<f64>,
    /// Holds that came back while the generator looked.
    pub seen: u64,
    /// Those, from the look before the first to the last; at most one look (10 ms) too slow.
    pub expired_per_s: Option<f64>,
}

/// What was found after the crowd had gone.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    /// Units on hold, as buyers were told, that the ledger had not reserved.
    pub(crate) missing: i64,
    pub(crate) expiry: Option<Expiry>,
}

/// Looks at the ledger, then waits until the holds that were left have run out.
pub(crate) async fn aftermath(run: &Run, shop: &mut Shop) -> Result<Aftermath, StampedeError> {
    let (left, pending) = {
        let tally = run.tally();
        (tally.holds.left(), tally.holds.pending)
    };
    if left == 0 {
        return Ok(Aftermath::default());
    }
    let reserved = shop.audit().await?.product(run.product).map_or(0, |found| found.reserved);
    // Asked for afterwards, so these cannot have been over when the ledger was read.
    let live = run.tally().holds.promises.live(Instant::now());
    let missing = (run.plan.units(live) - reserved).max(0);
    let remain = run.before.reserved + run.plan.units(pending);
    let expiry = wait(run, shop, left, remain).await?;
    Ok(Aftermath { missing, expiry })
}

/// Polls until no more than `remain` units are reserved. `None` if the plan gives it no time.
async fn wait(
    run: &Run,
    shop: &mut Shop,
    left: u64,
    remain: i64,
) -> Result<Option<Expiry>, StampedeError> {
    let began = Instant::now();
    let (first_due, all_over, last_expires_at) = {
        let holds = &run.tally().holds;
        (holds.promises.first_due(), holds.all_over.unwrap_or(began), holds.last_expires_at)
    };
    let give_up = match run.plan.holds.expiry_wait {
        Some(wait) if wait.is_zero() => return Ok(None),
        Some(wait) => began + wait,
        None => all_over + BACK_WITHIN,
    };
    let bar = progress::holds(&run.plan, left);
    let mut returns = Returns::default();
    let all_back = loop {
        let reserved = shop.stock(run.product).await?.reserved;
        let now = Instant::now();
        returns.saw(reserved, now);
        bar.set_position(returns.units() as u64 / run.plan.quantity as u64);
        if reserved <= remain {
            break true;
        }
        if now >= give_up {
            break false;
        }
        let until_due = first_due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
        tokio::time::sleep(until_due.clamp(LOOK_EVERY, LOOK_SELDOM)).await;
    };
    bar.finish_and_clear();
    let seen = returns.units() as u64 / run.plan.quantity as u64;
    Ok(Some(Expiry {
        waited_ms: ms(began.elapsed()),
        all_back,
        back_after_ms: last_expires_at.filter(|_| all_back).map(since),
        seen,
        expired_per_s: returns.took().map(|took| per_second(seen, took)),
    }))
}

fn since(moment: DateTime<Utc>) -> f64 {
    (Utc::now() - moment).num_milliseconds() as f64
}

/// Units seen to come back, poll by poll.
#[derive(Default)]
struct Returns {
    /// The stock boards lag: the count may still rise at first.
    most: i64,
    least: i64,
    looked: Option<Instant>,
    /// The look before the first unit came back.
    before_first: Option<Instant>,
    last: Option<Instant>,
}

impl Returns {
    fn saw(&mut self, reserved: i64, now: Instant) {
        if self.before_first.is_none() && reserved >= self.most {
            (self.most, self.least) = (reserved, reserved);
        } else if reserved < self.least {
            self.least = reserved;
            self.before_first = self.before_first.or(self.looked);
            self.last = Some(now);
        }
        self.looked = Some(now);
    }

    fn units(&self) -> i64 {
        self.most - self.least
    }

    fn took(&self) -> Option<Duration> {
        Some(self.last? - self.before_first?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_counts_from_the_look_before_the_first_return() {
        let began = Instant::now();
        let mut returns = Returns::default();
        for (second, reserved) in [(0, 80), (1, 100), (2, 100), (3, 60), (4, 10), (5, 10)] {
            returns.saw(reserved, began + Duration::from_secs(second));
        }
        assert_eq!((returns.units(), returns.took()), (90, Some(Duration::from_secs(2))));
    }

    #[test]
    fn without_a_return_there_is_no_rate() {
        let mut returns = Returns::default();
        returns.saw(5, Instant::now());
        assert_eq!((returns.units(), returns.took()), (0, None));
    }
}
