//! How long something took, as a distribution.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies are kept in microseconds up to ten minutes, to three digits.
const LATENCY_US_MAX: u64 = 600_000_000;

/// A distribution of times.
#[derive(Debug)]
pub(crate) struct Latency(Option<Histogram<u64>>);

impl Latency {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).ok())
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.record_us(took.as_micros() as u64);
    }

    pub(crate) fn record_us(&mut self, took_us: u64) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(took_us.max(1));
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        if let Some(histogram) = &mut self.0 {
            histogram.reset();
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// In milliseconds; `None` when nothing was recorded.
    pub(crate) fn mean(&self) -> Option<f64> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(histogram.mean() / 1000.0)
    }

    /// The values at `percentiles` in milliseconds; `None` when nothing was recorded.
    pub(crate) fn at<const N: usize>(&self, percentiles: [f64; N]) -> Option<[f64; N]> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(percentiles.map(|p| histogram.value_at_quantile(p / 100.0) as f64 / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_milliseconds() {
        let mut latency = Latency::new();
        assert_eq!(latency.at([50.0]), None);
        for ms in 1..=100 {
            latency.record(Duration::from_millis(ms));
        }
        let [p50, max] = latency.at([50.0, 100.0]).unwrap();
        assert!((p50 - 50.0).abs() < 0.1 && (max - 100.0).abs() < 0.2, "{p50} {max}");
    }
}
