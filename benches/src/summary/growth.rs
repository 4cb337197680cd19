//! Whether memory grows: the resident size of each process over time.

use std::collections::BTreeMap;

/// What a process may grow by from the middle of a run to its end, in percent: allocators breathe.
const FLAT_PERCENT: f64 = 5.0;

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Growth {
    /// The run and the process.
    pub(crate) name: String,
    /// From its first line to its last, in seconds.
    pub(crate) seconds: f64,
    /// Means of the second and of the last quarter, and the most, in MB.
    pub(crate) early_mb: f64,
    pub(crate) late_mb: f64,
    pub(crate) most_mb: f64,
}

impl Growth {
    /// Lines of second, name and bytes. A line that is none is left out: the last may be cut off.
    pub(crate) fn read(run: &str, text: &str) -> Vec<Self> {
        let mut sizes: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [second, name, bytes] = words[..] else { continue };
            let (Ok(second), Ok(bytes)) = (second.parse(), bytes.parse::<f64>()) else { continue };
            sizes.entry(name).or_default().push((second, bytes / 1e6));
        }
        sizes
            .iter()
            .filter_map(|(name, sizes)| Self::of(&format!("{run}, {name}"), sizes))
            .collect()
    }

    /// `None` of too little.
    fn of(name: &str, sizes: &[(f64, f64)]) -> Option<Self> {
        let quarter = sizes.len() / 4;
        if quarter == 0 {
            return None;
        }
        let mean = |part: &[(f64, f64)]| {
            part.iter().map(|(_, size)| size).sum::<f64>() / part.len() as f64
        };
        Some(Self {
            name: name.to_owned(),
            seconds: sizes.last()?.0 - sizes.first()?.0,
            early_mb: mean(&sizes[quarter..2 * quarter]),
            late_mb: mean(&sizes[sizes.len() - quarter..]),
            most_mb: sizes.iter().map(|(_, size)| *size).fold(0.0, f64::max),
        })
    }

    /// From early to late, in percent.
    pub(crate) fn percent(&self) -> f64 {
        100.0 * (self.late_mb / self.early_mb - 1.0)
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.percent() < FLAT_PERCENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(size: impl Fn(u32) -> f64) -> Growth {
        let lines: Vec<_> = (0..400).map(|at| format!("{at} api {}", size(at) * 1e6)).collect();
        let found = Growth::read("soak", &format!("{}\n400 wor", lines.join("\n")));
        assert_eq!(found.len(), 1);
        found[0].clone()
    }

    #[test]
    fn a_size_that_wavers_is_flat() {
        let found = growth(|at| 100.0 + f64::from(at % 7));
        assert!(found.is_flat(), "{found:?}");
        assert_eq!(
            (found.name.as_str(), found.seconds, found.most_mb),
            ("soak, api", 399.0, 106.0)
        );
    }

    #[test]
    fn a_leak_is_seen_and_a_warm_up_is_none() {
        assert!(!growth(|at| 100.0 + f64::from(at) / 10.0).is_flat());
        assert!(growth(|at| if at < 90 { 20.0 } else { 100.0 }).is_flat());
    }
}
