//! Counts by word, rates and times, as reports give them.

use std::collections::BTreeMap;
use std::time::Duration;

/// How many of each word.
pub(crate) type Counts = BTreeMap<String, u64>;

pub(crate) fn count(counts: &mut Counts, word: String) {
    *counts.entry(word).or_default() += 1;
}

pub(crate) fn sum(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// A rate; 0 where no time has passed.
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { (count as f64 / time.as_secs_f64()).round() }
}

/// Milliseconds, to the microsecond.
pub(crate) fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// To three decimals: reports stay short, and are read back from JSON as they were written.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
