//! What several rounds say of one figure.

use std::fmt;

use crate::plot::three_digits;

/// The middle, and how far the others are from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) count: usize,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[half]
        } else {
            f64::midpoint(values[half - 1], values[half])
        };
        Some(Self { median, min, max, count: values.len() })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&three_digits(self.median))?;
        if self.count > 1 {
            write!(f, " ({}–{})", three_digits(self.min), three_digits(self.max))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_between_two() {
        let of = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0, 1.0, 2.0]).map(|spread| spread.median), Some(2.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 30.0]).map(|spread| spread.median), Some(3.0));
    }

    #[test]
    fn one_round_has_no_least_and_most() {
        let written = |values: &[f64]| Spread::of(values.iter().copied()).unwrap().to_string();
        assert_eq!(written(&[20_750.4]), "20,750");
        assert_eq!(written(&[20_750.0, 19_800.0, 21_300.0]), "20,750 (19,800–21,300)");
    }
}
