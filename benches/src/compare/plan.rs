//! Which loads both ways are offered.

use std::fmt;

use super::comparison::{Event, Way};
use crate::plot::Unit;

/// Seconds before a crowd comes, while it comes, and after it; the same for a database that stands still.
const BURST: (f64, f64, f64) = (5.0, 1.5, 8.0);
const STALL: (f64, f64, f64) = (4.0, 2.0, 6.0);
/// Of the smaller capacity: before and after a burst, and how many times that a burst is.
const BURST_BASE: f64 = 0.2;
const BURST_TIMES: f64 = 10.0;
/// Of the smaller capacity, while the database stands still.
const STALL_BASE: f64 = 0.5;
/// Loads nearer to each other than this tell nothing new.
const SAME: f64 = 0.03;

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Offer {
    pub(crate) way: Way,
    /// Requests per second, from each moment (in seconds) on.
    pub(crate) rates: Vec<(f64, f64)>,
    pub(crate) seconds: f64,
    /// When the database stands still, and for how long, in seconds.
    pub(crate) stall: Option<(f64, f64)>,
}

/// The steady loads, rising, by name.
pub(crate) fn loads(sync_per_s: f64, async_per_s: f64) -> Vec<(String, f64)> {
    let (smaller, larger) = (sync_per_s.min(async_per_s), sync_per_s.max(async_per_s));
    let below = [25.0, 50.0, 75.0, 90.0]
        .map(|percent| (format!("{percent} % of the smaller capacity"), smaller * percent / 100.0));
    let at = ("the smaller capacity".to_owned(), smaller);
    let other = ("the larger capacity".to_owned(), larger);
    let above = ("130 % of the larger capacity".to_owned(), 1.3 * larger);
    let is_new = larger > smaller * (1.0 + SAME);
    below.into_iter().chain([at]).chain(is_new.then_some(other)).chain([above]).collect()
}

/// A crowd that comes at once.
pub(crate) fn burst(smaller_per_s: f64) -> Event {
    let (before_s, for_s, _) = BURST;
    let base_per_s = BURST_BASE * smaller_per_s;
    event(base_per_s, BURST_TIMES * base_per_s, before_s, for_s)
}

/// A database that stands still.
pub(crate) fn stall(smaller_per_s: f64) -> Event {
    let (before_s, for_s, _) = STALL;
    let base_per_s = STALL_BASE * smaller_per_s;
    event(base_per_s, base_per_s, before_s, for_s)
}

fn event(base_per_s: f64, peak_per_s: f64, from_s: f64, for_s: f64) -> Event {
    Event { base_per_s, peak_per_s, from_s, to_s: from_s + for_s, runs: Vec::new() }
}

impl Offer {
    pub(crate) fn steady(way: Way, per_s: f64, seconds: f64) -> Self {
        Self { way, rates: vec![(0.0, per_s)], seconds, stall: None }
    }

    pub(crate) fn burst(way: Way, event: &Event) -> Self {
        let Event { base_per_s, peak_per_s, from_s, to_s, .. } = *event;
        let rates = vec![(0.0, base_per_s), (from_s, peak_per_s), (to_s, base_per_s)];
        Self { way, rates, seconds: to_s + BURST.2, stall: None }
    }

    pub(crate) fn stall(way: Way, event: &Event) -> Self {
        let Event { base_per_s, from_s, to_s, .. } = *event;
        let stall = Some((from_s, to_s - from_s));
        Self { stall, ..Self::steady(way, base_per_s, to_s + STALL.2) }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rates: Vec<_> =
            self.rates.iter().map(|(_, rate)| Unit::PerSecond.cell(*rate)).collect();
        let stall = if self.stall.is_some() { ", with a database that stands still" } else { "" };
        write!(f, "{}, {} per second{stall}", self.way.word(), rates.join(" then "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_lie_below_at_and_above_what_each_way_can_take() {
        let rates: Vec<_> = loads(20_000.0, 10_000.0).into_iter().map(|(_, rate)| rate).collect();
        let wanted = [2_500.0, 5_000.0, 7_500.0, 9_000.0, 10_000.0, 20_000.0, 26_000.0];
        assert_eq!(rates, wanted);
    }

    #[test]
    fn equal_capacities_are_offered_once() {
        let names: Vec<_> = loads(10_000.0, 10_100.0).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 6);
        assert!(!names.contains(&"the larger capacity".to_owned()));
    }

    #[test]
    fn a_burst_is_ten_times_what_is_around_it() {
        let offer = Offer::burst(Way::Sync, &burst(10_000.0));
        assert_eq!(offer.rates, [(0.0, 2_000.0), (5.0, 20_000.0), (6.5, 2_000.0)]);
        assert!(offer.seconds > 6.5 && offer.stall.is_none());
    }

    #[test]
    fn the_database_stands_still_in_the_middle_of_a_steady_load() {
        let offer = Offer::stall(Way::Async, &stall(10_000.0));
        assert_eq!((offer.rates, offer.stall), (vec![(0.0, 5_000.0)], Some((4.0, 2.0))));
    }
}
