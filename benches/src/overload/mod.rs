//! Overload: far more buyers than a shop can take for a while, then a few again.
//!
//! ```text
//!  table  for people
//! ```
//!
//! One open loop with two rates. While the first lasts, a shop that is well refuses quickly what is too
//! much for it; under the second, which it could take with ease, it must soon be as it was before.

mod table;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Load, LoadError, measure};
use crate::measure::{Arrivals, Measurement, Tick};

/// So many ticks in a row must be good: a second.
const GOOD_TICKS: usize = 10;

/// The options of an overload.
#[derive(Debug, Clone)]
pub struct OverloadPlan {
    /// Who asks for what; its arrivals say only with how many connections, its duration does not count.
    pub load: Load,
    /// Requests per second while it lasts.
    pub per_s: f64,
    /// How long it lasts.
    pub lasts: Duration,
    /// Requests per second afterwards.
    pub probe_per_s: f64,
    /// How long these come.
    pub probes: Duration,
    /// The shop is as before when 99 of 100 answers come within this time, and nobody is refused.
    pub p99_max: Duration,
}

/// What an overload came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overload {
    /// Requests per second while it lasted.
    pub per_s: f64,
    /// How long it lasted, in seconds.
    pub lasted_s: f64,
    /// Requests per second afterwards.
    pub probe_per_s: f64,
    /// The limit to the 99th percentile afterwards, in milliseconds.
    pub p99_max_ms: f64,
    /// From its end until the shop was as before for a second, in seconds; `None` if it never was.
    pub recovered_s: Option<f64>,
    /// Both rates together.
    pub measurement: Measurement,
    /// What must not be, one sentence each.
    pub problems: Vec<String>,
}

/// Overloads a shop, and waits until it has recovered.
pub async fn overload(plan: OverloadPlan) -> Result<Overload, LoadError> {
    let lasted_s = plan.lasts.as_secs_f64();
    let arrivals = Arrivals::Open {
        rates: vec![(0.0, plan.per_s), (lasted_s, plan.probe_per_s)],
        connections: plan.load.connections(),
    };
    let duration = plan.lasts + plan.probes;
    let measurement = measure(Load { arrivals, duration, ..plan.load }).await?;
    let p99_max_ms = plan.p99_max.as_secs_f64() * 1e3;
    let recovered_s = recovered_s(&measurement.ticks, lasted_s, p99_max_ms);
    let mut problems = measurement.problems.clone();
    if recovered_s.is_none() {
        problems.push(format!("it had not recovered {:.0} s later", plan.probes.as_secs_f64()));
    }
    Ok(Overload {
        per_s: plan.per_s,
        lasted_s,
        probe_per_s: plan.probe_per_s,
        p99_max_ms,
        recovered_s,
        measurement,
        problems,
    })
}

/// From `end_s` until the first second in which all was well.
fn recovered_s(ticks: &[Tick], end_s: f64, p99_max_ms: f64) -> Option<f64> {
    let is_good = |tick: &Tick| {
        let in_time = tick.acknowledged_p99_ms.is_none_or(|p99_ms| p99_ms <= p99_max_ms);
        tick.due > 0 && tick.refused == 0 && tick.answered > 0 && in_time
    };
    let after: Vec<&Tick> = ticks.iter().filter(|tick| tick.at_s > end_s).collect();
    let good =
        after.windows(GOOD_TICKS).position(|ticks| ticks.iter().all(|tick| is_good(tick)))?;
    // Where the last tick that was not good ended.
    Some(good.checked_sub(1).map_or(0.0, |last| after[last].at_s - end_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(is_good: impl Fn(u32) -> bool) -> Vec<Tick> {
        let tick = |number: u32| Tick {
            at_s: f64::from(number) / 10.0,
            due: 5,
            answered: 5,
            refused: u64::from(!is_good(number)),
            settled: None,
            waiting: None,
            acknowledged_p99_ms: Some(3.0),
        };
        (1..=100).map(tick).collect()
    }

    #[test]
    fn it_has_recovered_when_a_whole_second_is_good() {
        let never_bad = recovered_s(&ticks(|number| number > 50), 5.0, 50.0);
        assert_eq!(never_bad, Some(0.0));
        // One relapse half a second later counts.
        let relapsed = recovered_s(&ticks(|number| number > 52 && number != 58), 5.0, 50.0);
        assert!((relapsed.unwrap() - 0.8).abs() < 1e-9, "{relapsed:?}");
        assert_eq!(recovered_s(&ticks(|number| number > 91), 5.0, 50.0), None);
        assert_eq!(recovered_s(&ticks(|number| number > 50), 5.0, 2.0), None);
    }
}
