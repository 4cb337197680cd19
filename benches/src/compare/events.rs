//! What happens over time, while a crowd comes at once or the database stands still.

use super::comparison::{Event, Way, WayRun};
use super::plots::{OFFERED, look};
use super::timeline::{Step, steps};
use crate::plot::{Axis, Look, Plot, Series, Span, Unit};

/// The plots over time of one event; `name` is what happens, in a word.
pub(crate) fn over_time(name: &str, event: &Event) -> Vec<Plot> {
    let runs: Vec<_> =
        event.runs.iter().map(|WayRun { way, measurement }| (*way, steps(measurement))).collect();
    let plots = [throughput(&runs), waiting(&runs), latency(&runs), refusals(&runs)];
    plots
        .into_iter()
        .map(|plot| Plot {
            id: format!("{name}-{}", plot.id),
            title: format!("{} ({name})", plot.title),
            spans: vec![Span { from: event.from_s, to: event.to_s, label: name.to_owned() }],
            ..plot
        })
        .filter(Plot::has_data)
        .collect()
}

type Runs = [(Way, Vec<Step>)];

fn throughput(runs: &Runs) -> Plot {
    let offered = Look { area: true, ..OFFERED };
    let first = runs.first().map_or(&[][..], |(_, steps)| steps);
    let mut series = vec![line(first, "offered", offered, |step| Some(step.due_per_s))];
    for (way, steps) in runs {
        let (answered, settled) = (over_time_look(*way, true), over_time_look(*way, false));
        if *way == Way::Sync {
            series.push(line(steps, "synchronous: answered and settled", settled, |step| {
                Some(step.answered_per_s)
            }));
        } else {
            series.push(line(steps, "asynchronous: answered", answered, |step| {
                Some(step.answered_per_s)
            }));
            series.push(line(steps, "asynchronous: settled", settled, |step| step.settled_per_s));
        }
    }
    Plot {
        id: "throughput".into(),
        title: "Purchases answered and settled".into(),
        caption: "The grey area is what was offered.".into(),
        y: Axis::linear("purchases per second", Unit::PerSecond),
        series,
        ..blank()
    }
}

fn waiting(runs: &Runs) -> Plot {
    let mut series = Vec::new();
    for (way, steps) in runs {
        let word = way.word();
        if *way == Way::Async {
            let look = over_time_look(*way, false);
            let name = format!("{word}: accepted, not settled");
            series.push(line(steps, &name, look, |step| step.waiting));
        }
        let look = over_time_look(*way, true);
        series.push(line(steps, &format!("{word}: no answer yet"), look, |step| {
            Some(step.unanswered)
        }));
    }
    Plot {
        id: "waiting".into(),
        title: "Purchases that wait".into(),
        caption:
            "Solid: promised and in the queue. Dashed: due, and the buyer has heard nothing; what \
                  is left of it at the end never got an answer."
                .into(),
        y: Axis::linear("purchases", Unit::Count),
        series,
        ..blank()
    }
}

fn latency(runs: &Runs) -> Plot {
    Plot {
        id: "latency".into(),
        title: "Time until the request is answered".into(),
        caption:
            "99 of 100 were answered within this time, in the worst tenth of a second of each step."
                .into(),
        y: Axis::log("p99 of the time to the answer", Unit::Milliseconds),
        series: each(runs, |step| step.answer_p99_ms),
        ..blank()
    }
}

fn refusals(runs: &Runs) -> Plot {
    let is_any = runs.iter().flat_map(|(_, steps)| steps).any(|step| step.refused_per_s > 0.0);
    Plot {
        id: "refusals".into(),
        title: "Requests refused".into(),
        caption: if is_any {
            "Refused, with a word when to come back.".into()
        } else {
            "Neither way refused a request.".into()
        },
        y: Axis::linear("refusals per second", Unit::PerSecond),
        series: each(runs, |step| Some(step.refused_per_s)),
        ..blank()
    }
}

fn each(runs: &Runs, value: fn(&Step) -> Option<f64>) -> Vec<Series> {
    let series = |(way, steps): &(Way, Vec<Step>)| {
        line(steps, way.word(), over_time_look(*way, false), value)
    };
    runs.iter().map(series).collect()
}

fn line(steps: &[Step], name: &str, look: Look, value: fn(&Step) -> Option<f64>) -> Series {
    let points = steps.iter().map(|step| (step.at_s, value(step)));
    Series { name: name.into(), look, points: points.collect() }
}

/// There are too many points for marks.
fn over_time_look(way: Way, dashed: bool) -> Look {
    Look { marker: None, ..look(way, dashed) }
}

fn blank() -> Plot {
    Plot {
        id: String::new(),
        title: String::new(),
        caption: String::new(),
        x: Axis::linear("time", Unit::Seconds),
        y: Axis::linear("", Unit::Count),
        series: Vec::new(),
        marks: Vec::new(),
        spans: Vec::new(),
    }
}
