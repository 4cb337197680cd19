//! Puts a measurement together from what was counted.

use std::time::Instant;

use crate::engine::books::Endings;
use crate::engine::load::Load;
use crate::engine::meters::Used;
use crate::engine::recorder::Record;
use crate::engine::stock::Watch;
use crate::figures::{Counts, rounded, sum};
use crate::latency::Latency;
use crate::measure::{Measurement, Percentiles};
use crate::table::listed;

/// What the run brought besides the record.
pub(crate) struct Parts<'a> {
    pub(crate) load: &'a Load,
    pub(crate) watch: &'a Watch,
    pub(crate) start: Instant,
    pub(crate) used: Used,
    /// `None` where nothing is followed.
    pub(crate) endings: Option<Endings>,
    /// What is wrong between buyers and stock.
    pub(crate) disagreement: Option<String>,
}

impl Measurement {
    pub(crate) fn new(record: &mut Record, parts: Parts<'_>) -> Self {
        let Parts { load, watch, start, used, endings, disagreement } = parts;
        let scenario = load.scenario;
        let problems = problems(record, endings.as_ref(), disagreement);
        let drained = watch.changed().map(|at| at.saturating_duration_since(record.last_sent));
        let settled_per_s = scenario
            .takes_units()
            .then(|| watch.per_second(start, start + load.duration))
            .flatten()
            .map(rounded);
        Self {
            scenario: load.name(),
            arrivals: load.arrivals.clone(),
            wall_s: rounded(load.duration.as_secs_f64()),
            due: record.due,
            dropped: record.dropped,
            answered: record.answered,
            answered_per_s: rounded(record.answered_in_time as f64 / load.duration.as_secs_f64()),
            refused: std::mem::take(&mut record.refused),
            failed: std::mem::take(&mut record.failed),
            settled_per_s,
            lost: endings.as_ref().map(|endings| endings.lost),
            drained_s: drained
                .filter(|_| endings.is_some())
                .map(|drained| rounded(drained.as_secs_f64())),
            ended: endings.map(|endings| endings.ended).unwrap_or_default(),
            acknowledged: percentiles(&record.acknowledged),
            turned_away: percentiles(&record.turned_away),
            outcome: percentiles(&record.outcome),
            ticks: std::mem::take(&mut record.ticks),
            processes: used.processes,
            wal: used.wal,
            problems,
        }
    }
}

/// Everything that must not be.
fn problems(
    record: &Record,
    endings: Option<&Endings>,
    disagreement: Option<String>,
) -> Vec<String> {
    let failed = sum(&record.failed);
    let (lost, duplicates) = endings.map_or((0, 0), |endings| (endings.lost, endings.duplicates));
    let found = [
        (lost > 0, format!("{lost} accepted purchases were lost")),
        (duplicates > 0, format!("{duplicates} tracking IDs were given out twice")),
        (failed > 0, format!("{failed} requests got no usable answer: {}", listed(&record.failed))),
        (record.answered == 0, format!("nothing was answered as asked for{}", why(record))),
    ];
    let found = found.into_iter().filter_map(|(is_so, sentence)| is_so.then_some(sentence));
    found.chain(disagreement).collect()
}

fn why(record: &Record) -> String {
    let refused: &Counts = &record.refused;
    if refused.is_empty() { String::new() } else { format!(": {}", listed(refused)) }
}

fn percentiles(latency: &Latency) -> Option<Percentiles> {
    let [p50, p90, p99, p999, max] = latency.at([50.0, 90.0, 99.0, 99.9, 100.0])?;
    let mean = rounded(latency.mean()?);
    Some(Percentiles { count: latency.len(), mean, p50, p90, p99, p999, max })
}
