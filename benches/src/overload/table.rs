//! The overload for people.

use std::fmt;

use indicatif::HumanCount;

use crate::overload::Overload;

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.measurement)?;
        let Self { lasted_s, p99_max_ms, .. } = self;
        let per_s = |rate: f64| HumanCount(rate.round() as u64);
        writeln!(
            f,
            "{}/s for {lasted_s} s, then {}/s",
            per_s(self.per_s),
            per_s(self.probe_per_s)
        )?;
        match self.recovered_s {
            Some(after_s) => {
                write!(f, "recovered after {after_s:.1} s (p99 within {p99_max_ms} ms, no refusal)")
            }
            None => write!(f, "NOT RECOVERED"),
        }
    }
}
