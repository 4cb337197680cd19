//! What rises and falls with the load.

use super::comparison::{Comparison, Way, run_of};
use super::figures::Figures;
use crate::measure::Percentiles;
use crate::plot::{Axis, Look, Mark, Marker, Plot, Series, Unit};

/// The plots over offered load.
pub(crate) fn over_load(comparison: &Comparison) -> Vec<Plot> {
    let plots = [outcome(comparison), answer(comparison), throughput(comparison), away(comparison)];
    plots.into_iter().filter(Plot::has_data).collect()
}

fn outcome(comparison: &Comparison) -> Plot {
    Plot {
        id: "outcome".into(),
        title: "Time until the buyer knows the outcome".into(),
        caption:
            "Solid: 99 of 100 buyers knew within this time. Dashed: half of them. The vertical \
                  lines are what each way can take."
                .into(),
        y: Axis::log("time to the outcome", Unit::Milliseconds),
        series: percentiles(comparison, |figures| figures.outcome),
        ..blank(comparison)
    }
}

fn answer(comparison: &Comparison) -> Plot {
    Plot {
        id: "answer".into(),
        title: "Time until the request is answered".into(),
        caption:
            "A synchronous answer is the outcome; an asynchronous one is a promise with a tracking \
                  ID. Solid: 99 of 100; dashed: half."
                .into(),
        y: Axis::log("time to the answer", Unit::Milliseconds),
        series: percentiles(comparison, |figures| figures.acknowledged),
        ..blank(comparison)
    }
}

fn throughput(comparison: &Comparison) -> Plot {
    let loads = comparison.loads.iter().map(|load| (load.offered_per_s, Some(load.offered_per_s)));
    Plot {
        id: "throughput".into(),
        title: "Purchases answered and settled".into(),
        caption:
            "A way keeps up as long as it stays on the grey line. Dashed: answered (202); the \
                  distance down to the solid line is what piles up in the queue."
                .into(),
        y: Axis::linear("purchases per second", Unit::PerSecond),
        series: vec![
            Series { name: "offered".into(), look: OFFERED, points: loads.collect() },
            line(comparison, Way::Async, "asynchronous: answered", true, |figures| {
                Some(figures.answered_per_s)
            }),
            line(comparison, Way::Async, "asynchronous: settled", false, |figures| {
                figures.settled_per_s
            }),
            line(comparison, Way::Sync, "synchronous: answered and settled", false, |figures| {
                figures.settled_per_s
            }),
        ],
        ..blank(comparison)
    }
}

fn away(comparison: &Comparison) -> Plot {
    let mut series = Vec::new();
    for way in Way::BOTH {
        let word = way.word();
        series.push(line(comparison, way, &format!("{word}: refused"), false, |figures| {
            Some(figures.refused_percent)
        }));
        series.push(line(comparison, way, &format!("{word}: no answer"), true, |figures| {
            Some(figures.unserved_percent)
        }));
    }
    let points = series.iter().flat_map(|series| &series.points);
    let is_any = points.filter_map(|(_, share)| *share).any(|share| share > 0.0);
    Plot {
        id: "away".into(),
        title: "Requests turned away".into(),
        caption: if is_any {
            "Solid: refused, with a word when to come back. Dashed: never sent because every connection \
             was still waiting, or without an answer."
                .into()
        } else {
            "Every request of every load was answered as asked.".into()
        },
        y: Axis::linear("share of the requests due", Unit::Percent),
        series,
        ..blank(comparison)
    }
}

/// The grey line of what was asked for.
pub(crate) const OFFERED: Look =
    Look { class: "offered", dashed: false, area: false, marker: None };

/// A way's colour and mark.
pub(crate) fn look(way: Way, dashed: bool) -> Look {
    let (class, marker) = match way {
        Way::Sync => ("sync", Marker::Circle),
        Way::Async => ("async", Marker::Square),
    };
    Look { class, dashed, area: false, marker: Some(marker) }
}

fn percentiles(comparison: &Comparison, times: fn(&Figures) -> Option<Percentiles>) -> Vec<Series> {
    let mut series = Vec::new();
    for way in Way::BOTH {
        let word = way.word();
        series.push(line(comparison, way, &format!("{word}, p99"), false, |figures| {
            times(figures).map(|times| times.p99)
        }));
        series.push(line(comparison, way, &format!("{word}, p50"), true, |figures| {
            times(figures).map(|times| times.p50)
        }));
    }
    series
}

fn line(
    comparison: &Comparison,
    way: Way,
    name: &str,
    dashed: bool,
    value: impl Fn(&Figures) -> Option<f64>,
) -> Series {
    let points = comparison.loads.iter().map(|load| {
        let figures = run_of(&load.runs, way).map(|run| Figures::of(way, run));
        (load.offered_per_s, figures.as_ref().and_then(&value))
    });
    Series { name: name.into(), look: look(way, dashed), points: points.collect() }
}

/// What these plots have in common.
fn blank(comparison: &Comparison) -> Plot {
    let marks = comparison.capacities.iter().map(|capacity| Mark {
        at: capacity.per_s,
        label: format!("{} capacity", if capacity.way == Way::Sync { "sync" } else { "async" }),
        class: look(capacity.way, false).class,
    });
    Plot {
        id: String::new(),
        title: String::new(),
        caption: String::new(),
        x: Axis::linear("offered, purchases per second", Unit::PerSecond),
        y: Axis::linear("", Unit::Count),
        series: Vec::new(),
        marks: marks.collect(),
        spans: Vec::new(),
    }
}
