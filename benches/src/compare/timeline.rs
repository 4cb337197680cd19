//! One run over time, in steps that a plot can show.

use crate::measure::{Measurement, Tick};

/// More steps than this are finer than a plot.
const STEPS_MAX: usize = 80;

/// What happened in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// The end of it.
    pub(crate) at_s: f64,
    pub(crate) due_per_s: f64,
    pub(crate) answered_per_s: f64,
    pub(crate) settled_per_s: Option<f64>,
    pub(crate) refused_per_s: f64,
    /// Due until its end and neither answered nor refused by then.
    pub(crate) unanswered: f64,
    /// Accepted and not settled at its end.
    pub(crate) waiting: Option<f64>,
    /// In the worst tenth of a second of it.
    pub(crate) answer_p99_ms: Option<f64>,
}

/// The run's ticks, several to a step where there are many.
pub(crate) fn steps(run: &Measurement) -> Vec<Step> {
    let ticks_each = run.ticks.len().div_ceil(STEPS_MAX).max(1);
    let mut steps: Vec<Step> = Vec::new();
    for ticks in run.ticks.chunks(ticks_each) {
        let (began_s, unanswered) =
            steps.last().map_or((0.0, 0.0), |step| (step.at_s, step.unanswered));
        steps.extend(step(ticks, began_s, unanswered));
    }
    steps
}

fn step(ticks: &[Tick], began_s: f64, unanswered_before: f64) -> Option<Step> {
    let last = ticks.last()?;
    let length_s = (last.at_s - began_s).max(1e-3);
    let sum = |of: fn(&Tick) -> u64| ticks.iter().map(of).sum::<u64>() as f64;
    let (due, answered) = (sum(|tick| tick.due), sum(|tick| tick.answered));
    let refused = sum(|tick| tick.refused);
    let settled: Option<u64> = ticks.iter().map(|tick| tick.settled).sum();
    Some(Step {
        at_s: last.at_s,
        due_per_s: due / length_s,
        answered_per_s: answered / length_s,
        settled_per_s: settled.map(|settled| settled as f64 / length_s),
        refused_per_s: refused / length_s,
        // A tick may count an answer before it counts what was due at its edge.
        unanswered: (unanswered_before + due - answered - refused).max(0.0),
        waiting: last.waiting.map(|waiting| waiting as f64),
        answer_p99_ms: ticks.iter().filter_map(|tick| tick.acknowledged_p99_ms).reduce(f64::max),
    })
}

#[cfg(test)]
mod tests {
    use super::super::synthetic;
    use super::*;

    #[test]
    fn a_long_run_is_shown_in_few_steps_that_lose_nothing() {
        let run = synthetic::comparison().burst.unwrap().runs[1].measurement.clone();
        assert!(run.ticks.len() > STEPS_MAX);

        let steps = steps(&run);

        assert!(steps.len() <= STEPS_MAX);
        let mut began_s = 0.0;
        let mut due = 0.0;
        for step in &steps {
            due += step.due_per_s * (step.at_s - began_s);
            began_s = step.at_s;
        }
        let ticks_due: u64 = run.ticks.iter().map(|tick| tick.due).sum();
        assert!((due - ticks_due as f64).abs() < 1.0, "{due} of {ticks_due}");
    }

    #[test]
    fn what_was_never_answered_stays_waiting() {
        let tick = |at_s, due, answered, refused| Tick {
            at_s,
            due,
            answered,
            refused,
            settled: None,
            waiting: None,
            acknowledged_p99_ms: None,
        };
        let mut run = synthetic::comparison().burst.unwrap().runs[0].measurement.clone();
        run.ticks = vec![tick(0.1, 10, 4, 1), tick(0.2, 0, 3, 0)];
        let unanswered: Vec<_> = steps(&run).iter().map(|step| step.unanswered).collect();
        assert_eq!(unanswered, [5.0, 2.0]);
    }
}
