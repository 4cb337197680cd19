//! When arrivals of an open loop are due.

use std::time::Duration;

/// The moments at which arrivals are due, evenly spaced within each rate.
///
/// It depends on nothing but the rates: whether the shop keeps up makes no difference to when the
/// next buyer comes.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// Rate per second, and until when (in seconds) it holds.
    stretches: Vec<(f64, f64)>,
    at: usize,
    now_s: f64,
    /// How much of an arrival is left until the next is due.
    missing: f64,
}

impl Schedule {
    /// `rates` count from the end of the warm-up, which has the first of them; the end comes
    /// `duration` after the warm-up.
    pub(crate) fn new(rates: &[(f64, f64)], warm_up: Duration, duration: Duration) -> Self {
        let end_s = (warm_up + duration).as_secs_f64();
        let starts = rates.iter().skip(1).map(|(from_s, _)| from_s + warm_up.as_secs_f64());
        let untils = starts.chain([f64::INFINITY]).map(|until_s| until_s.min(end_s));
        let stretches = rates.iter().map(|(_, rate)| *rate).zip(untils).collect();
        // Half an interval at either end, so that no arrival lies on a boundary.
        Self { stretches, at: 0, now_s: 0.0, missing: 0.5 }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let (rate, until_s) = *self.stretches.get(self.at)?;
            let room = rate * (until_s - self.now_s);
            if room >= self.missing {
                self.now_s += self.missing / rate;
                self.missing = 1.0;
                return Some(Duration::from_secs_f64(self.now_s));
            }
            self.missing -= room.max(0.0);
            self.now_s = self.now_s.max(until_s);
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(rates: &[(f64, f64)], warm_up_s: u64, duration_s: u64) -> Vec<f64> {
        let seconds = Duration::from_secs;
        let schedule = Schedule::new(rates, seconds(warm_up_s), seconds(duration_s));
        schedule.map(|due| due.as_secs_f64()).collect()
    }

    fn between(due: &[f64], from_s: f64, until_s: f64) -> usize {
        due.iter().filter(|at| (from_s..until_s).contains(at)).count()
    }

    #[test]
    fn every_second_has_as_many_arrivals_as_its_rate() {
        for rate in [1.0, 3.0, 997.0, 20_000.0] {
            let due = due(&[(0.0, rate)], 1, 4);
            assert_eq!(due.len(), (rate * 5.0) as usize);
            assert!((between(&due, 1.0, 5.0) as f64 - rate * 4.0).abs() <= 1.0);
        }
    }

    #[test]
    fn rates_change_at_their_moments_after_the_warm_up() {
        let due = due(&[(0.0, 100.0), (2.0, 1_000.0), (3.0, 0.0), (4.0, 10.0)], 1, 6);
        let counts =
            [(0.0, 3.0), (3.0, 4.0), (4.0, 5.0), (5.0, 7.0)].map(|(a, b)| between(&due, a, b));
        assert_eq!(counts, [300, 1_000, 0, 20]);
        assert!(due.is_sorted());
    }

    #[test]
    fn a_rate_below_one_in_the_whole_run_may_bring_nobody() {
        assert_eq!(due(&[(0.0, 0.01)], 0, 10), Vec::<f64>::new());
        assert_eq!(due(&[(0.0, 0.01)], 0, 100).len(), 1);
    }

    #[test]
    fn rates_after_the_end_do_not_count() {
        assert_eq!(due(&[(0.0, 10.0), (5.0, 1e6)], 0, 1).len(), 10);
    }
}
