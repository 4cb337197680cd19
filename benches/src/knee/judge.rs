//! Whether a shop kept up with a rate.

use std::time::Duration;

use crate::figures::sum;
use crate::measure::Measurement;
use crate::table::listed;

/// Answers may be this share of what was due behind, because the last ones come after the end.
const BEHIND_SHARE: f64 = 0.02;
/// And this many, where little is due.
const BEHIND_COUNT: f64 = 5.0;
/// A backlog of so many seconds' arrivals is none.
const BACKLOG_S: f64 = 0.5;
/// A longer one is stable if it is at most this much longer at the end than in the first half.
const GROWTH: f64 = 1.25;

/// Why `rate` was not sustained; empty if it was.
pub(super) fn against(found: &Measurement, rate: f64, p99_max: Duration) -> Vec<String> {
    let due = found.due as f64;
    let behind = due - found.answered_per_s * found.wall_s;
    let p99_ms = found.acknowledged.map_or(f64::INFINITY, |acknowledged| acknowledged.p99);
    let p99_max_ms = p99_max.as_secs_f64() * 1e3;
    let (refused, failed) = (sum(&found.refused), sum(&found.failed));
    let backlog = backlog(found);
    let reasons = [
        (found.dropped > 0, format!("{} dropped", found.dropped)),
        (refused > 0, format!("refused: {}", listed(&found.refused))),
        (failed > 0, format!("failed: {}", listed(&found.failed))),
        (found.lost.is_some_and(|lost| lost > 0), "purchases lost".to_owned()),
        (behind > (due * BEHIND_SHARE).max(BEHIND_COUNT), format!("answers {behind:.0} behind")),
        (p99_ms > p99_max_ms, format!("p99 {p99_ms:.1} ms")),
        (
            backlog.is_some_and(|(early, late)| late > (rate * BACKLOG_S).max(early * GROWTH)),
            format!("backlog grows to {:.0}", backlog.unwrap_or_default().1),
        ),
    ];
    reasons.into_iter().filter_map(|(is_so, reason)| is_so.then_some(reason)).collect()
}

/// The mean backlog in the second and in the last quarter of the measured time.
fn backlog(found: &Measurement) -> Option<(f64, f64)> {
    let mean = |from: f64, until: f64| {
        let within = found
            .ticks
            .iter()
            .filter(|tick| (from * found.wall_s..until * found.wall_s).contains(&tick.at_s));
        let waiting: Vec<u64> = within.filter_map(|tick| tick.waiting).collect();
        let count = waiting.len();
        (count > 0).then(|| waiting.into_iter().sum::<u64>() as f64 / count as f64)
    };
    Some((mean(0.25, 0.5)?, mean(0.75, 1.0)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::measure::{Arrivals, Percentiles, Tick};

    use super::*;

    /// Ten seconds at 100 per second, sustained, with that much waiting in each tick.
    fn found(waiting: impl Fn(f64) -> u64) -> Measurement {
        let tick = |number: u32| {
            let at_s = f64::from(number) / 10.0;
            Tick {
                at_s,
                due: 10,
                answered: 10,
                refused: 0,
                settled: Some(10),
                waiting: Some(waiting(at_s)),
                acknowledged_p99_ms: Some(2.0),
            }
        };
        let ms = 1.0;
        Measurement {
            scenario: "settle".into(),
            arrivals: Arrivals::Open { rates: vec![(0.0, 100.0)], connections: 1 },
            wall_s: 10.0,
            due: 1_000,
            dropped: 0,
            answered: 1_000,
            answered_per_s: 100.0,
            refused: BTreeMap::new(),
            failed: BTreeMap::new(),
            settled_per_s: Some(100.0),
            lost: Some(0),
            ended: BTreeMap::new(),
            drained_s: Some(0.0),
            acknowledged: Some(Percentiles {
                count: 1_000,
                mean: ms,
                p50: ms,
                p90: ms,
                p99: 2.0,
                p999: 3.0,
                max: 4.0,
            }),
            turned_away: None,
            outcome: None,
            ticks: (1..=100).map(tick).collect(),
            processes: Vec::new(),
            wal: None,
            problems: Vec::new(),
        }
    }

    fn reasons(found: &Measurement) -> String {
        against(found, 100.0, Duration::from_millis(50)).join(", ")
    }

    #[test]
    fn a_shop_that_keeps_up_sustains() {
        assert_eq!(reasons(&found(|_| 3)), "");
    }

    #[test]
    fn a_backlog_may_be_long_but_must_not_grow() {
        assert_eq!(reasons(&found(|_| 500)), "");
        let growing = reasons(&found(|at_s| (at_s * 50.0) as u64));
        assert!(growing.starts_with("backlog grows to 43"), "{growing}");
    }

    #[test]
    fn everything_else_that_must_not_be_is_a_reason() {
        let mut found = found(|_| 0);
        found.dropped = 3;
        found.refused.insert("OVERLOADED".into(), 2);
        found.answered_per_s = 90.0;
        found.acknowledged.as_mut().unwrap().p99 = 51.0;
        found.lost = Some(1);
        let reasons = reasons(&found);
        for reason in ["3 dropped", "OVERLOADED 2", "100 behind", "p99 51.0 ms", "lost"] {
            assert!(reasons.contains(reason), "{reason} in {reasons}");
        }
    }
}
