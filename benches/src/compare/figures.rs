//! One run in the figures that both ways can be compared by.

use super::comparison::Way;
use crate::measure::{Measurement, Percentiles};

/// The generator's own processor time is nobody's cost.
const GENERATOR: &str = "load";

/// What a row of the table says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    pub(crate) offered_per_s: f64,
    pub(crate) answered_per_s: f64,
    /// Where the answer is the outcome, as many as were answered.
    pub(crate) settled_per_s: Option<f64>,
    /// Of those due, in percent.
    pub(crate) refused_percent: f64,
    /// Neither answered nor refused: failed, or never sent because every connection was busy.
    pub(crate) unserved_percent: f64,
    pub(crate) acknowledged: Option<Percentiles>,
    /// Where the answer is the outcome, the same.
    pub(crate) outcome: Option<Percentiles>,
    /// Processor seconds of all but the generator for 1,000 settled purchases.
    pub(crate) cpu_s_per_1000: Option<f64>,
}

impl Figures {
    pub(crate) fn of(way: Way, run: &Measurement) -> Self {
        let is_sync = way == Way::Sync;
        let settled_per_s = if is_sync { Some(run.answered_per_s) } else { run.settled_per_s };
        let refused: u64 = run.refused.values().sum();
        let failed: u64 = run.failed.values().sum();
        Self {
            offered_per_s: over(run.due as f64, run.wall_s),
            answered_per_s: run.answered_per_s,
            settled_per_s,
            refused_percent: 100.0 * over(refused as f64, run.due as f64),
            unserved_percent: 100.0 * over((failed + run.dropped) as f64, run.due as f64),
            acknowledged: run.acknowledged,
            outcome: if is_sync { run.acknowledged } else { run.outcome },
            cpu_s_per_1000: cpu_s_per_1000(run, settled_per_s),
        }
    }
}

/// `None` where only the generator was watched or nothing was settled.
fn cpu_s_per_1000(run: &Measurement, settled_per_s: Option<f64>) -> Option<f64> {
    let mut watched = run.processes.iter().filter(|one| one.name != GENERATOR).peekable();
    watched.peek()?;
    let settled = settled_per_s? * run.wall_s;
    (settled > 0.0).then(|| 1_000.0 * watched.map(|one| one.cpu_s).sum::<f64>() / settled)
}

fn over(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
