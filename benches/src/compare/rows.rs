//! The table of all runs, for the page and for a document.

use super::comparison::{Comparison, Way, WayRun};
use super::figures::Figures;
use crate::plot::Unit;
use crate::plot::three_digits;

/// The columns after those for the load and the way.
pub(crate) const COLUMNS: [&str; 10] = [
    "offered/s",
    "answered/s",
    "settled/s",
    "refused %",
    "no answer %",
    "answer p50 ms",
    "answer p99 ms",
    "outcome p50 ms",
    "outcome p99 ms",
    "CPU s per 1,000",
];

/// One run.
pub(crate) struct Row {
    pub(crate) load: String,
    pub(crate) way: Way,
    pub(crate) cells: [String; COLUMNS.len()],
}

/// All runs, in the order in which a reader meets them.
pub(crate) fn rows(comparison: &Comparison) -> Vec<Row> {
    let steady = comparison.loads.iter().map(|load| (load.name.clone(), &load.runs));
    let events = [("burst", &comparison.burst), ("database stall", &comparison.stall)];
    let events = events
        .into_iter()
        .filter_map(|(name, event)| Some((name.to_owned(), &event.as_ref()?.runs)));
    steady
        .chain(events)
        .flat_map(|(load, runs)| runs.iter().map(move |run| Row::new(load.clone(), run)))
        .collect()
}

impl Row {
    fn new(load: String, WayRun { way, measurement }: &WayRun) -> Self {
        let figures = Figures::of(*way, measurement);
        let percentile = |of: Option<f64>| written(of, three_digits);
        let per_s = |of| Unit::PerSecond.cell(of);
        let percent = |of| Unit::Percent.cell(of);
        Self {
            load,
            way: *way,
            cells: [
                per_s(figures.offered_per_s),
                per_s(figures.answered_per_s),
                written(figures.settled_per_s, per_s),
                percent(figures.refused_percent),
                percent(figures.unserved_percent),
                percentile(figures.acknowledged.map(|times| times.p50)),
                percentile(figures.acknowledged.map(|times| times.p99)),
                percentile(figures.outcome.map(|times| times.p50)),
                percentile(figures.outcome.map(|times| times.p99)),
                written(figures.cpu_s_per_1000, three_digits),
            ],
        }
    }
}

fn written(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), write)
}
