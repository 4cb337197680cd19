//! How many units are promised to buyers at the same time, sold or held.
//!
//! Counted so that it never exceeds the truth at the shop: a unit counts from the moment its buyer
//! *sees* the promise until the moment the shop could *first* have taken it back, which is when the
//! holder sends the cancellation or the checkout (it may be declined), or when the hold could first
//! be over. So a count above the stock proves that a unit was promised twice, even where all the
//! holds have gone in the end and the ledger looks well.

use std::collections::BTreeSet;
use std::time::Instant;

/// The promises of a run, in purchases (each is the plan's quantity). It grows by one entry per live
/// hold.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    sold: u64,
    /// Until when, and whose.
    live: BTreeSet<(Instant, u64)>,
    peak: u64,
}

impl Promises {
    /// A buyer saw a purchase confirmed, or a checkout.
    pub(crate) fn sold(&mut self, now: Instant) {
        self.sold += 1;
        self.note(now);
    }

    /// A buyer saw a hold granted that cannot be over before `safe_until`.
    pub(crate) fn held(&mut self, buyer: u64, safe_until: Instant, now: Instant) {
        self.live.insert((safe_until, buyer));
        self.note(now);
    }

    /// The holder may lose it from now on.
    pub(crate) fn let_go(&mut self, buyer: u64, safe_until: Instant) {
        self.live.remove(&(safe_until, buyer));
    }

    /// Holds that cannot be over and that nobody has touched.
    pub(crate) fn live(&mut self, now: Instant) -> u64 {
        while self.live.first().is_some_and(|(safe_until, _)| *safe_until <= now) {
            self.live.pop_first();
        }
        self.live.len() as u64
    }

    /// When the first of them could be over.
    pub(crate) fn first_due(&self) -> Option<Instant> {
        self.live.first().map(|(safe_until, _)| *safe_until)
    }

    /// The most at the same time.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    fn note(&mut self, now: Instant) {
        let promised = self.sold + self.live(now);
        self.peak = self.peak.max(promised);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_unit_that_came_back_may_be_promised_again() {
        let began = Instant::now();
        let at = |second| began + Duration::from_secs(second);
        let mut promises = Promises::default();
        promises.held(1, at(5), at(0));
        promises.held(2, at(6), at(0));
        promises.let_go(1, at(5));
        promises.sold(at(1));
        assert_eq!(promises.peak(), 2);
        assert_eq!(promises.live(at(1)), 1);
        // The hold of buyer 2 may be over.
        promises.held(3, at(9), at(6));
        assert_eq!(promises.peak(), 2);
        promises.held(4, at(9), at(7));
        assert_eq!((promises.peak(), promises.live(at(7))), (3, 2));
    }
}
