//! Which way for what, as this comparison found it. Every figure in a sentence is of its data.

use super::comparison::{Comparison, LoadPoint, Way};
use super::matters;

/// Whoever is better by less than this factor is not better: runs of the same differ by as much.
const MATTERS: f64 = 1.1;
/// The load that stands for everyday, as a share of the smaller capacity.
const EVERYDAY: f64 = 0.5;

/// What somebody may care for, and what was found.
#[derive(Debug, PartialEq)]
pub(crate) struct Choice {
    pub(crate) matter: &'static str,
    /// `None` if there is no difference that matters.
    pub(crate) better: Option<Way>,
    pub(crate) because: String,
}

impl Choice {
    /// The way to choose, as people say it.
    pub(crate) fn word(&self) -> &'static str {
        self.better.map_or("either", Way::word)
    }
}

/// One for each matter that was measured on both ways.
pub(crate) fn choices(comparison: &Comparison) -> Vec<Choice> {
    let everyday = EVERYDAY * smaller_capacity(comparison);
    let load = |best: &dyn Fn(&&LoadPoint, &&LoadPoint) -> std::cmp::Ordering| {
        comparison.loads.iter().min_by(best)
    };
    let distance = |load: &LoadPoint| (load.offered_per_s - everyday).abs();
    let moderate = load(&|one, other| distance(one).total_cmp(&distance(other)));
    let heaviest = load(&|one, other| other.offered_per_s.total_cmp(&one.offered_per_s));
    [
        moderate.and_then(matters::soon),
        matters::most(comparison),
        heaviest.and_then(matters::overload),
        comparison.burst.as_ref().and_then(matters::crowd_answer),
        comparison.burst.as_ref().and_then(matters::crowd_outcome),
        comparison.stall.as_ref().and_then(matters::stall),
        moderate.and_then(matters::cheap),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The way with the smaller figure, where the difference matters; given what stands for sync and async.
pub(super) fn less(sync: f64, asynchronous: f64) -> Option<Way> {
    if sync * MATTERS < asynchronous {
        Some(Way::Sync)
    } else if asynchronous * MATTERS < sync {
        Some(Way::Async)
    } else {
        None
    }
}

/// The way with the larger figure, where the difference matters.
pub(super) fn more(sync: f64, asynchronous: f64) -> Option<Way> {
    less(asynchronous, sync)
}

fn smaller_capacity(comparison: &Comparison) -> f64 {
    comparison.capacities.iter().map(|one| one.per_s).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::super::synthetic;
    use super::*;

    fn about(comparison: &Comparison, matter: &str) -> Choice {
        choices(comparison).into_iter().find(|choice| choice.matter.contains(matter)).unwrap()
    }

    #[test]
    fn every_matter_that_was_measured_has_a_choice() {
        let mut comparison = synthetic::comparison();
        assert_eq!(choices(&comparison).len(), 7);
        comparison.burst = None;
        comparison.stall = None;
        assert_eq!(choices(&comparison).len(), 4);
        comparison.loads.clear();
        assert_eq!(choices(&comparison), []);
    }

    #[test]
    fn sentences_say_what_was_measured() {
        let mut comparison = synthetic::comparison();
        for (run, p99) in comparison.loads[1].runs.iter_mut().zip([17.31, 1_234.4]) {
            let found = &mut run.measurement;
            found.outcome = found.acknowledged;
            found.acknowledged.as_mut().unwrap().p99 = p99;
            found.outcome.as_mut().unwrap().p99 = p99;
        }
        let choice = about(&comparison, "moderate load");
        assert_eq!(choice.better, Some(Way::Sync));
        let wanted = "within 17.3 ms synchronously and 1,234 ms asynchronously";
        assert!(choice.because.contains(wanted), "{}", choice.because);
    }

    #[test]
    fn a_small_difference_is_none() {
        assert_eq!(less(100.0, 109.0), None);
        assert_eq!(less(100.0, 111.0), Some(Way::Sync));
        assert_eq!(more(100.0, 111.0), Some(Way::Async));
        let mut comparison = synthetic::comparison();
        let same = comparison.loads[0].runs[1].measurement.clone();
        let runs = comparison.loads.iter_mut().flat_map(|load| &mut load.runs);
        runs.for_each(|run| run.measurement = same.clone());
        assert_eq!(about(&comparison, "As many").word(), "either");
    }
}
