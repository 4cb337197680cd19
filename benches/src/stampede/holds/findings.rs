//! What became of the holds: their part of the report, and what must not be.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::figures::{Counts, per_second, sum};
use crate::stampede::audit::Ledger;
use crate::stampede::holds::expiry::{Aftermath, Expiry};
use crate::stampede::run::Run;
use crate::stampede::tally::{Stage, Tally};

/// An answer of the edge may be this much older than the ledger, so a unit that came back less than
/// this before a buyer asked may not have been on offer yet.
const NEWS_TAKE: Duration = Duration::from_secs(2);

/// Everything about the holds of one stampede.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// Share of buyers who hold.
    pub hold_share: f64,
    /// Share of holders who check out.
    pub checkout_share: f64,
    /// Share of holders who do nothing more.
    pub abandon_share: f64,

    /// Holders who saw their hold granted.
    pub granted: u64,
    /// Of these: checked out and paid.
    pub confirmed: u64,
    /// Checked out, and the payment is not known yet.
    pub pending: u64,
    /// Checked out, and the payment was declined.
    pub declined: u64,
    /// Gave the hold back.
    pub cancelled: u64,
    /// Did nothing more.
    pub abandoned: u64,
    /// Found the hold over at checkout or cancellation, and why.
    pub gone: Counts,
    /// All of them.
    pub gone_total: u64,
    /// Of these, holds that could not be over yet, or that the shop denied.
    pub gone_early: u64,
    /// Got no definite answer at checkout or cancellation.
    pub in_doubt: u64,
    /// Holds that were neither paid nor cancelled, and that the ledger has back.
    pub expired: u64,

    /// Units promised at the same time, sold or held, beyond the stock.
    pub overpromised: i64,
    /// Units on hold that the ledger had not reserved when the crowd had gone.
    pub missing: i64,
    /// Units still reserved although their hold is over.
    pub stuck: i64,

    /// Outcomes of purchases until the last of them.
    pub purchases_per_s: f64,
    /// Outcomes of holds until the last of them.
    pub holds_per_s: f64,
    /// Answers to checkouts until the last of them.
    pub checkouts_per_s: f64,
    /// Answers to cancellations until the last of them.
    pub cancels_per_s: f64,
    /// The rate that a connection reaches with holds, over the one it reaches with purchases. In a
    /// closed loop a rate is the connections over the mean latency (Little's law), so this compares
    /// the two whatever their shares; `None` without both.
    pub hold_to_purchase_rate: Option<f64>,
    /// How the holds that were left came back; `None` if none were, or if that was not waited for.
    pub expiry: Option<Expiry>,
}

impl Findings {
    pub(crate) fn new(run: &Run, tally: &Tally, ledger: &Ledger, aftermath: Aftermath) -> Self {
        let (plan, holds) = (&run.plan, &tally.holds);
        let (bought, held) = (&tally.purchases, &tally.hold_requests);
        let capacity = run.before.available + run.before.reserved;
        let expected = run.before.reserved + plan.units(holds.pending);
        // Who got no answer may have a hold all the same; each of these is a finding of its own.
        let unanswered = tally.unknown + tally.repeated_unsafely + tally.lost + sum(&tally.failed);
        let in_doubt = plan.units(unanswered);
        let too_many = (ledger.reserved - expected).max(0);
        // What was not waited for to its deadline may still be held.
        let is_over = aftermath.expiry.is_some()
            && holds.all_over.is_none_or(|all_over| Instant::now() >= all_over);
        let may_be_held = if is_over { 0 } else { plan.units(holds.left()) };
        Self {
            hold_share: plan.holds.hold,
            checkout_share: plan.holds.checkout,
            abandon_share: plan.holds.abandon,
            granted: holds.granted,
            confirmed: holds.confirmed,
            pending: holds.pending,
            declined: holds.declined,
            cancelled: holds.cancelled(),
            abandoned: holds.abandoned,
            gone: holds.gone.clone(),
            gone_total: sum(&holds.gone),
            gone_early: holds.gone_early,
            in_doubt: holds.in_doubt,
            expired: holds.left().saturating_sub(too_many as u64 / plan.quantity as u64),
            overpromised: (plan.units(holds.promises.peak()) - capacity).max(0),
            missing: aftermath.missing,
            stuck: (too_many - in_doubt - may_be_held).max(0),
            purchases_per_s: per_second(bought.outcome.len(), bought.last_outcome),
            holds_per_s: per_second(held.outcome.len(), held.last_outcome),
            checkouts_per_s: per_second(holds.checkout.len(), holds.last_checkout),
            cancels_per_s: per_second(holds.cancel.len(), holds.last_cancel),
            hold_to_purchase_rate: rate_ratio(held, bought),
            expiry: aftermath.expiry,
        }
    }

    /// Everything about the holds that must not be.
    pub(crate) fn problems(&self) -> [(bool, String); 4] {
        [
            (
                self.overpromised > 0,
                format!("{} units were promised to two buyers at once", self.overpromised),
            ),
            (
                self.missing > 0,
                format!("{} units on hold were not reserved in the ledger", self.missing),
            ),
            (self.gone_early > 0, format!("{} holds were gone before their time", self.gone_early)),
            (
                self.stuck > 0,
                format!("{} units are still reserved although their hold is over", self.stuck),
            ),
        ]
    }
}

/// How much faster a connection is with `held` than with `bought`; only where both have outcomes, so
/// that the latency of errors alone is no rate.
fn rate_ratio(held: &Stage, bought: &Stage) -> Option<f64> {
    if held.outcome.len() == 0 || bought.outcome.len() == 0 {
        return None;
    }
    let ratio = bought.acknowledged.mean()? / held.acknowledged.mean()?;
    Some((ratio * 1e3).round() / 1e3)
}

/// Units left in the end that were there all along when buyers were told `OUT_OF_STOCK`.
///
/// With holds, units left are no defect by themselves: a unit that was held while everybody was
/// refused, and came back when nobody was there any more, is left for good reason. So from the units
/// left those are taken off that may have come back after the last refusal was decided: everything
/// that was held and not sold, but for the holds whose cancellation was answered 2 s or more before
/// that buyer asked, which is as long as news take to reach the edge. What remains was on offer at
/// that moment, and the refusal was wrong. That units which came back are *sold again* is not seen
/// here but in the audit: gate and board agree with the ledger.
pub(crate) fn undersold(run: &Run, tally: &Tally, ledger: &Ledger) -> i64 {
    let Some(refused) = tally.out_of_stock_sent else { return 0 };
    let holds = &tally.holds;
    let known_before =
        holds.cancelled_at.iter().filter(|at| **at + NEWS_TAKE <= refused).count() as u64;
    // A hold that was over before its holder knew of it.
    let unseen: u64 =
        tally.refused.iter().filter(|(why, _)| is_over(why)).map(|(_, count)| count).sum();
    let may_be_late = holds.granted - holds.confirmed - known_before + unseen;
    let left = ledger.available - run.plan.units(may_be_late) - run.before.reserved;
    if left >= run.plan.quantity { left } else { 0 }
}

fn is_over(reason: &str) -> bool {
    matches!(reason, "EXPIRED" | "CANCELLED" | "FAILED")
}

#[cfg(test)]
mod tests {
    use crate::shop::Stock;
    use crate::stampede::plan::{Mode, Plan};

    use super::*;

    fn ledger(available: i64) -> Ledger {
        Ledger {
            total: 10,
            available,
            reserved: 0,
            sold: 10 - available,
            version: 1,
            conserved: true,
            orders_match: true,
            gate_free: Some(available),
            gate_matches: true,
            board_matches: true,
            parked: 0,
            dead_letters: 0,
            outbox: 0,
            healthy: true,
            added_for_operators: 0,
        }
    }

    /// Three of ten units were held and cancelled at once; `seconds` later somebody asked in vain.
    fn refused_after(seconds: u64) -> Run {
        let before = Stock { available: 10, reserved: 0, sold: 0 };
        let plan = Plan::new(Vec::new(), Mode::Sync, 20, 10);
        let run = Run::begin("run".into(), plan, [].into(), 7, before);
        let cancelled_at = run.began;
        {
            let mut tally = run.tally();
            tally.holds.granted = 3;
            tally.holds.cancelled_at = vec![cancelled_at; 3];
            tally.out_of_stock_sent = Some(cancelled_at + Duration::from_secs(seconds));
        }
        run
    }

    #[test]
    fn units_that_came_back_before_the_refusal_should_have_been_sold() {
        let run = refused_after(3);
        assert_eq!(undersold(&run, &run.tally(), &ledger(3)), 3);
    }

    #[test]
    fn units_that_came_back_too_late_are_left_for_good_reason() {
        let run = refused_after(1);
        assert_eq!(undersold(&run, &run.tally(), &ledger(3)), 0);
        assert_eq!(undersold(&run, &run.tally(), &ledger(5)), 2, "only three came back");
    }

    #[test]
    fn without_a_refusal_nothing_is_undersold() {
        let run = refused_after(3);
        run.tally().out_of_stock_sent = None;
        assert_eq!(undersold(&run, &run.tally(), &ledger(3)), 0);
    }
}
