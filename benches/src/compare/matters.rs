//! What somebody may care for, each as a function of what was measured: which way is better, and why.

use super::choose::{Choice, less, more};
use super::comparison::{Comparison, Event, LoadPoint, Way, run_of};
use super::figures::Figures;
use crate::measure::Measurement;
use crate::plot::{Unit, grouped, three_digits};

/// The time to the outcome, below what either can take.
pub(super) fn soon(load: &LoadPoint) -> Option<Choice> {
    let [sync, asynchronous] = figures(load)?.map(|figures| figures.outcome);
    let (sync, asynchronous) = (sync?, asynchronous?);
    Some(Choice {
        matter: "The outcome soon, at a moderate load",
        better: less(sync.p99, asynchronous.p99),
        because: format!(
            "At {} purchases per second 99 of 100 buyers knew the outcome within {} synchronously and \
             {} asynchronously, half of them within {} and {}",
            per_s(load.offered_per_s),
            ms(sync.p99),
            ms(asynchronous.p99),
            ms(sync.p50),
            ms(asynchronous.p50)
        ),
    })
}

/// The most that was settled.
pub(super) fn most(comparison: &Comparison) -> Option<Choice> {
    let best = |way| {
        let settled = comparison.loads.iter().filter_map(|load| {
            run_of(&load.runs, way).and_then(|run| Figures::of(way, run).settled_per_s)
        });
        settled.reduce(f64::max)
    };
    let [sync, asynchronous] = Way::BOTH.map(best);
    let (sync, asynchronous) = (sync?, asynchronous?);
    Some(Choice {
        matter: "As many purchases as possible",
        better: more(sync, asynchronous),
        because: format!(
            "At its best load, the synchronous way settled {} purchases per second and the \
             asynchronous way {}; their capacities are {} and {}",
            per_s(sync),
            per_s(asynchronous),
            per_s(comparison.capacity_per_s(Way::Sync)),
            per_s(comparison.capacity_per_s(Way::Async))
        ),
    })
}

/// Answers above what either can take.
pub(super) fn overload(load: &LoadPoint) -> Option<Choice> {
    let [sync, asynchronous] = figures(load)?;
    let (sync_p99, async_p99) = (sync.acknowledged?.p99, asynchronous.acknowledged?.p99);
    let (sync, asynchronous) = (served_percent(&sync), served_percent(&asynchronous));
    Some(Choice {
        matter: "An answer from an overloaded shop",
        better: more(sync, asynchronous).or(less(sync_p99, async_p99)),
        because: format!(
            "Of {} requests per second {} were answered as asked synchronously (p99 {}) and {} \
             asynchronously (p99 {})",
            per_s(load.offered_per_s),
            percent(sync),
            ms(sync_p99),
            percent(asynchronous),
            ms(async_p99)
        ),
    })
}

/// Answers in a burst.
pub(super) fn crowd_answer(event: &Event) -> Option<Choice> {
    let [sync, asynchronous] = both(event)?.map(|(way, run)| Figures::of(way, run));
    let (sync_p99, async_p99) = (sync.acknowledged?.p99, asynchronous.acknowledged?.p99);
    let (sync, asynchronous) = (served_percent(&sync), served_percent(&asynchronous));
    Some(Choice {
        matter: "An answer, when a crowd comes at once",
        better: more(sync, asynchronous).or(less(sync_p99, async_p99)),
        because: format!(
            "When {} purchases per second came for {} s after {}, {} were answered as asked \
             synchronously (p99 {}) and {} asynchronously (p99 {})",
            per_s(event.peak_per_s),
            seconds(event),
            per_s(event.base_per_s),
            percent(sync),
            ms(sync_p99),
            percent(asynchronous),
            ms(async_p99)
        ),
    })
}

/// Outcomes in a burst.
pub(super) fn crowd_outcome(event: &Event) -> Option<Choice> {
    let [sync, asynchronous] = both(event)?.map(|(way, run)| Figures::of(way, run).outcome);
    let (sync, asynchronous) = (sync?, asynchronous?);
    let queue = run_of(&event.runs, Way::Async)
        .and_then(|run| run.ticks.iter().filter_map(|tick| tick.waiting).max())
        .map_or(String::new(), |most| {
            format!("; up to {} accepted purchases waited in the queue", per_s(most as f64))
        });
    Some(Choice {
        matter: "The outcome, when a crowd comes at once",
        better: less(sync.p99, asynchronous.p99),
        because: format!(
            "Of those who were answered then, 99 of 100 knew the outcome within {} synchronously and {} \
             asynchronously{queue}",
            ms(sync.p99),
            ms(asynchronous.p99)
        ),
    })
}

/// Answers while the database stands still.
pub(super) fn stall(event: &Event) -> Option<Choice> {
    let answered = both(event)?.map(|(_, run)| {
        let during = run.ticks.iter().filter(|t| t.at_s > event.from_s && t.at_s <= event.to_s);
        let (answered, due) =
            during.fold((0, 0), |(answered, due), t| (answered + t.answered, due + t.due));
        // Some of the answers are to those who were due before.
        (due > 0).then(|| (100.0 * answered as f64 / due as f64).min(100.0))
    });
    let (sync, asynchronous) = (answered[0]?, answered[1]?);
    Some(Choice {
        matter: "A database that stands still",
        better: more(sync, asynchronous),
        because: format!(
            "While the orders could not be written or read for {} s, there were answers for {} of what \
             was asked synchronously and {} asynchronously",
            seconds(event),
            percent(sync),
            percent(asynchronous)
        ),
    })
}

/// Processor time.
pub(super) fn cheap(load: &LoadPoint) -> Option<Choice> {
    let [sync, asynchronous] = figures(load)?.map(|figures| figures.cpu_s_per_1000);
    let (sync, asynchronous) = (sync?, asynchronous?);
    Some(Choice {
        matter: "Little processor time",
        better: less(sync, asynchronous),
        because: format!(
            "At {} purchases per second, 1,000 of them took {} s synchronously and {} s \
             asynchronously, of all processes together",
            per_s(load.offered_per_s),
            three_digits(sync),
            three_digits(asynchronous)
        ),
    })
}

/// As asked for, of all that were due.
fn served_percent(figures: &Figures) -> f64 {
    100.0 - figures.refused_percent - figures.unserved_percent
}

fn figures(load: &LoadPoint) -> Option<[Figures; 2]> {
    let [sync, asynchronous] =
        Way::BOTH.map(|way| Some(Figures::of(way, run_of(&load.runs, way)?)));
    Some([sync?, asynchronous?])
}

fn both(event: &Event) -> Option<[(Way, &Measurement); 2]> {
    let [sync, asynchronous] = Way::BOTH.map(|way| Some((way, run_of(&event.runs, way)?)));
    Some([sync?, asynchronous?])
}

fn per_s(rate: f64) -> String {
    Unit::PerSecond.cell(rate)
}

fn ms(time: f64) -> String {
    if time < 10_000.0 {
        format!("{} ms", three_digits(time))
    } else {
        Unit::Milliseconds.tick(time)
    }
}

fn percent(share: f64) -> String {
    format!("{} %", grouped(share, 1))
}

fn seconds(event: &Event) -> String {
    grouped(event.to_s - event.from_s, 1)
}
