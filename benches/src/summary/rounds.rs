//! One scenario in all of its rounds.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::spread::Spread;
use crate::measure::Measurement;

/// What was measured under one name.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// Such as `settle`, or `settle-workers` where it was measured with several numbers of them.
    pub(crate) name: String,
    /// How many of what was varied.
    pub(crate) size: Option<u64>,
    pub(crate) runs: Vec<Run>,
}

/// One round.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) round: u64,
    pub(crate) measurement: Measurement,
}

/// What was found of one scenario's knee.
#[derive(Debug)]
pub(crate) struct Knees {
    pub(crate) name: String,
    pub(crate) found: Vec<Search>,
}

/// What is read of a search.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Search {
    pub(crate) knee_per_s: Option<f64>,
    pub(crate) capacity_per_s: f64,
    pub(crate) promised: Option<Promised>,
}

/// What is read of the run below the knee.
#[derive(Debug, Deserialize)]
pub(crate) struct Promised {
    pub(crate) measurement: Measurement,
}

impl Rounds {
    /// With the size where there is one.
    pub(crate) fn title(&self) -> String {
        self.size.map_or_else(|| self.name.clone(), |size| format!("{} {size}", self.name))
    }

    /// One figure of all rounds that have it.
    pub(crate) fn spread(&self, figure: impl Fn(&Measurement) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(|run| figure(&run.measurement)))
    }

    /// The names of all processes that were watched.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &str> {
        let processes = self.runs.iter().flat_map(|run| &run.measurement.processes);
        processes.map(|process| &*process.name)
    }
}

/// What a scenario is about: settled purchases per second, or answers where it is not about purchases, or
/// not about their end.
pub(crate) fn yield_per_s(found: &Measurement) -> f64 {
    let answers = matches!(&*found.scenario, "accept" | "mixed");
    found.settled_per_s.filter(|_| !answers).unwrap_or(found.answered_per_s)
}

/// How many that were.
fn yielded(found: &Measurement) -> Option<f64> {
    Some(yield_per_s(found) * found.wall_s).filter(|count| *count > 0.0)
}

/// Processor seconds of one process for 1,000 of what the scenario is about.
pub(crate) fn cpu_s_per_1000(found: &Measurement, process: &str) -> Option<f64> {
    let used = found.processes.iter().find(|one| one.name == process)?;
    Some(1_000.0 * used.cpu_s / yielded(found)?)
}

/// Bytes of write-ahead log for each.
pub(crate) fn wal_bytes(found: &Measurement) -> Option<f64> {
    Some(found.wal?.bytes as f64 / yielded(found)?)
}

/// Syncs of the write-ahead log for each.
pub(crate) fn wal_syncs(found: &Measurement) -> Option<f64> {
    Some(found.wal?.syncs as f64 / yielded(found)?)
}

/// The largest resident size of one process, in MB.
pub(crate) fn rss_mb_max(found: &Measurement, process: &str) -> Option<f64> {
    let used = found.processes.iter().find(|one| one.name == process)?;
    Some(used.rss_bytes_max as f64 / 1e6)
}

/// Puts rounds of the same name together, in their order.
pub(crate) fn gathered(runs: Vec<(String, Option<u64>, Run)>) -> Vec<Rounds> {
    let mut by_name: BTreeMap<(String, Option<u64>), Vec<Run>> = BTreeMap::new();
    for (name, size, run) in runs {
        by_name.entry((name, size)).or_default().push(run);
    }
    let rounds = by_name.into_iter().map(|((name, size), mut runs)| {
        runs.sort_by_key(|run| run.round);
        Rounds { name, size, runs }
    });
    rounds.collect()
}
