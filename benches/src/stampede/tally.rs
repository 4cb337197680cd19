//! What is counted while the run goes on.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::figures::{Counts, count, sum};
use crate::latency::Latency;
use crate::stampede::answer::{Fate, Outcome};
use crate::stampede::holds::counts::{Granted, HoldCounts};
use crate::stampede::holds::errand::{Act, Errand};
use crate::stampede::holds::intent::Intent;

/// The refusal that says that nothing was left.
const OUT_OF_STOCK: &str = "OUT_OF_STOCK";

/// The first request of one kind of buyer: purchases, or holds.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) acknowledged: Latency,
    pub(crate) outcome: Latency,
    pub(crate) settled: Latency,
    pub(crate) last_outcome: Duration,
}

impl Stage {
    fn new() -> Self {
        Self {
            acknowledged: Latency::new(),
            outcome: Latency::new(),
            settled: Latency::new(),
            last_outcome: Duration::ZERO,
        }
    }
}

/// The counts of a run. It grows with the number of buyers only by 16 bytes per tracking ID and what
/// [`HoldCounts`] says.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) began: Instant,
    pub(crate) accepted: u64,
    /// Buyers who have the goods, by purchase or by checkout.
    pub(crate) confirmed: u64,
    /// Refused purchases and holds.
    pub(crate) refused: Counts,
    /// When the last request to be refused for `OUT_OF_STOCK` was first sent.
    pub(crate) out_of_stock_sent: Option<Instant>,
    /// 202 given and never decided, or unknown to the shop afterwards.
    pub(crate) lost: u64,
    pub(crate) parked: u64,
    /// Buyers without a definite answer, by the last thing they heard.
    pub(crate) failed: Counts,
    /// Buyers without a key whose connection broke: they may or may not have bought.
    pub(crate) unknown: u64,
    /// Requests without a key repeated after an answer that leaves open whether they counted.
    pub(crate) repeated_unsafely: u64,
    /// Buyers who were shown somebody else's purchase.
    pub(crate) mixed_up: u64,
    pub(crate) retries_connection: u64,
    pub(crate) retries_busy: u64,
    /// Of all 202 and of all confirmations in responses.
    tracking_ids: Vec<u128>,
    pub(crate) purchases: Stage,
    pub(crate) hold_requests: Stage,
    pub(crate) holds: HoldCounts,
    pub(crate) last_answer: Duration,
    pub(crate) last_confirmed: Duration,
    pub(crate) last_decided_at: Option<DateTime<Utc>>,
}

impl Tally {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            accepted: 0,
            confirmed: 0,
            refused: Counts::new(),
            out_of_stock_sent: None,
            lost: 0,
            parked: 0,
            failed: Counts::new(),
            unknown: 0,
            repeated_unsafely: 0,
            mixed_up: 0,
            retries_connection: 0,
            retries_busy: 0,
            tracking_ids: Vec::new(),
            purchases: Stage::new(),
            hold_requests: Stage::new(),
            holds: HoldCounts::new(),
            last_answer: Duration::ZERO,
            last_confirmed: Duration::ZERO,
            last_decided_at: None,
        }
    }

    /// Where the first requests of such buyers are counted.
    pub(crate) fn stage(&mut self, intent: Intent) -> &mut Stage {
        if intent.holds() { &mut self.hold_requests } else { &mut self.purchases }
    }

    /// A buyer got an answer to a request first sent at `sent`.
    pub(crate) fn answered(&mut self, intent: Intent, sent: Instant) {
        self.stage(intent).acknowledged.record(sent.elapsed());
        self.last_answer = self.began.elapsed();
    }

    pub(crate) fn accepted(&mut self, tracking_id: Uuid) {
        self.accepted += 1;
        self.tracking_ids.push(tracking_id.as_u128());
    }

    /// A synchronous confirmation named this order.
    pub(crate) fn named(&mut self, tracking_id: Uuid) {
        self.tracking_ids.push(tracking_id.as_u128());
    }

    /// A buyer learned the outcome of the first request; gives what is left to do with a hold.
    pub(crate) fn decided(&mut self, intent: Intent, outcome: Outcome) -> Option<Errand> {
        let Outcome { buyer, id, fate, sent, decided_at } = outcome;
        let mut errand = None;
        match fate {
            Fate::Confirmed if !intent.holds() => {
                self.sold(Instant::now());
                self.last_decided_at = self.last_decided_at.max(decided_at);
            }
            Fate::Held(Some(term)) if intent.holds() => {
                let is_abandoned = intent == Intent::HoldAndAbandon;
                let granted = Granted { buyer, sent, term, is_abandoned };
                let safe_until = self.holds.granted(&granted);
                let act = match intent {
                    Intent::HoldAndCheckOut => Some(Act::CheckOut),
                    Intent::HoldAndCancel => Some(Act::Cancel),
                    Intent::Buy | Intent::HoldAndAbandon => None,
                };
                errand = act.map(|act| Errand { act, buyer, reservation: id, safe_until });
            }
            Fate::Confirmed => return self.wrong("SOLD_NOT_HELD"),
            Fate::Held(None) => return self.wrong("HELD_WITHOUT_DEADLINE"),
            Fate::Held(Some(_)) => return self.wrong("HELD_NOT_SOLD"),
            Fate::Refused(reason) => {
                if reason == OUT_OF_STOCK {
                    self.out_of_stock_sent = self.out_of_stock_sent.max(Some(sent));
                }
                count(&mut self.refused, reason);
            }
            Fate::Parked => self.parked += 1,
            Fate::Undecided => return None,
        }
        let last_outcome = self.began.elapsed();
        let stage = self.stage(intent);
        stage.outcome.record(sent.elapsed());
        stage.last_outcome = last_outcome;
        errand
    }

    /// A buyer has the goods.
    pub(crate) fn sold(&mut self, now: Instant) {
        self.confirmed += 1;
        self.last_confirmed = now - self.began;
        self.holds.promises.sold(now);
    }

    /// Not what was asked for.
    fn wrong(&mut self, what: &str) -> Option<Errand> {
        self.failed(what.to_owned());
        None
    }

    pub(crate) fn failed(&mut self, last_heard: String) {
        count(&mut self.failed, last_heard);
    }

    /// Buyers whose story has ended.
    pub(crate) fn ended(&self) -> u64 {
        self.confirmed
            + sum(&self.refused)
            + self.lost
            + self.parked
            + sum(&self.failed)
            + self.unknown
            + self.holds.ended()
    }

    /// From the first request to the last outcome of a purchase or hold.
    pub(crate) fn last_outcome(&self) -> Duration {
        self.purchases.last_outcome.max(self.hold_requests.last_outcome)
    }

    /// Tracking IDs given to more than one buyer: how often too many.
    pub(crate) fn duplicates(&mut self) -> u64 {
        self.tracking_ids.sort_unstable();
        self.tracking_ids.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_given_to_three_buyers_is_two_too_many() {
        let mut tally = Tally::new(Instant::now());
        for id in [1, 2, 1, 3, 1] {
            tally.accepted(Uuid::from_u128(id));
        }
        assert_eq!(tally.duplicates(), 2);
    }
}
