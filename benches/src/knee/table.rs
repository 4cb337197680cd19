//! The search for people.

use std::fmt;

use indicatif::HumanCount;

use crate::knee::{Knee, Step};
use crate::measure::Percentiles;

impl Step {
    /// The head of a table whose rows are steps.
    pub const HEAD: &str =
        "      rate   answered    settled    p50 ms    p99 ms outcome p99   sustained";
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.measurement;
        let rate = |per_s: f64| HumanCount(per_s.round() as u64).to_string();
        let of = |latency: &Option<Percentiles>, value: fn(&Percentiles) -> f64| {
            latency.as_ref().map_or("-".to_owned(), |latency| format!("{:.2}", value(latency)))
        };
        write!(
            f,
            "{:>8}/s {:>8}/s {:>10} {:>9} {:>9} {:>11}   ",
            rate(self.rate),
            rate(found.answered_per_s),
            found.settled_per_s.map_or("-".to_owned(), |per_s| format!("{}/s", rate(per_s))),
            of(&found.acknowledged, |latency| latency.p50),
            of(&found.acknowledged, |latency| latency.p99),
            of(&found.outcome, |latency| latency.p99),
        )?;
        if self.sustained { write!(f, "yes") } else { write!(f, "no: {}", self.why.join(", ")) }
    }
}

impl fmt::Display for Knee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacity = HumanCount(self.capacity_per_s.round() as u64);
        writeln!(f, "\n{}: capacity {capacity}/s ({})", self.scenario, self.capacity.arrivals)?;
        match self.knee_per_s {
            Some(knee_per_s) => {
                let knee = HumanCount(knee_per_s.round() as u64);
                writeln!(f, "knee {knee}/s (p99 of answers within {} ms)", self.p99_max_ms)?;
            }
            None => writeln!(f, "no knee")?,
        }
        if let Some(promised) = &self.promised {
            write_promised(f, promised)?;
        }
        if self.problems.is_empty() {
            return write!(f, "\nOK: nothing lost at any rate");
        }
        write!(f, "\nFAILED")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

fn write_promised(f: &mut fmt::Formatter<'_>, promised: &Step) -> fmt::Result {
    writeln!(f, "\nat 80 % of the knee:\n\n{}", promised.measurement)?;
    if promised.sustained {
        return Ok(());
    }
    let why = promised.why.join(", ");
    writeln!(f, "\nnot sustained this time ({why}): measure longer, or on a quieter machine")
}
