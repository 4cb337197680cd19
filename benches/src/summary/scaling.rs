//! What more processes bring.

use std::fmt;

use super::rounds::{Rounds, yield_per_s};
use crate::plot::{grouped, three_digits};
use crate::usl::{self, Fit, Point};

/// The law that a series of sizes follows.
pub(crate) struct Scaling<'a> {
    name: &'a str,
    fit: Fit,
}

/// One for every name that was measured with three sizes or more, where there is a law.
pub(crate) fn scaling(rounds: &[Rounds]) -> Vec<Scaling<'_>> {
    let mut names: Vec<&str> =
        rounds.iter().filter(|rounds| rounds.size.is_some()).map(|rounds| &*rounds.name).collect();
    names.dedup();
    names.into_iter().filter_map(|name| Scaling::of(name, rounds)).collect()
}

impl<'a> Scaling<'a> {
    fn of(name: &'a str, rounds: &[Rounds]) -> Option<Self> {
        let points: Vec<Point> = rounds
            .iter()
            .filter(|rounds| rounds.name == name)
            .filter_map(|rounds| {
                let per_s = rounds.spread(|found| Some(yield_per_s(found)))?.median;
                Some(Point { n: rounds.size? as f64, per_s })
            })
            .collect();
        Some(Self { name, fit: usl::fit(&points).ok()? })
    }
}

impl fmt::Display for Scaling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fit { lambda, sigma, kappa, r_squared, peak } = self.fit;
        write!(
            f,
            "{}: {} per second with one, contention {}, coherency {} (R² {})",
            self.name,
            three_digits(lambda),
            grouped(sigma, 3),
            grouped(kappa, 4),
            grouped(r_squared, 3)
        )?;
        match peak {
            Some(peak) => write!(f, "; most with {}", grouped(peak, 1)),
            None => Ok(()),
        }
    }
}
