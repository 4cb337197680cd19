//! What is counted while the run goes on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use hdrhistogram::Histogram;
use uuid::Uuid;

use crate::answer::Fate;

/// Latencies are kept in microseconds up to ten minutes, to three digits.
const LATENCY_US_MAX: u64 = 600_000_000;

/// How many of each word.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The counts of a run. It grows with the number of buyers only by 16 bytes per tracking ID.
#[derive(Debug)]
pub(crate) struct Tally {
    began: Instant,
    pub(crate) accepted: u64,
    pub(crate) confirmed: u64,
    pub(crate) refused: Counts,
    /// 202 given and never decided, or unknown to the shop afterwards.
    pub(crate) lost: u64,
    pub(crate) parked: u64,
    /// Buyers without a definite answer, by the last thing they heard.
    pub(crate) failed: Counts,
    /// Buyers without a key whose connection broke: they may or may not have bought.
    pub(crate) unknown: u64,
    /// Requests without a key repeated after an answer that leaves open whether they counted.
    pub(crate) repeated_unsafely: u64,
    /// Buyers who were shown somebody else's purchase.
    pub(crate) mixed_up: u64,
    pub(crate) retries_connection: u64,
    pub(crate) retries_busy: u64,
    /// Of all 202 and of all confirmations in responses.
    tracking_ids: Vec<u128>,
    pub(crate) acknowledged: Latency,
    pub(crate) outcome: Latency,
    pub(crate) settled: Latency,
    pub(crate) last_answer: Duration,
    pub(crate) last_outcome: Duration,
    pub(crate) last_confirmed: Duration,
    pub(crate) last_decided_at: Option<DateTime<Utc>>,
}

impl Tally {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            accepted: 0,
            confirmed: 0,
            refused: Counts::new(),
            lost: 0,
            parked: 0,
            failed: Counts::new(),
            unknown: 0,
            repeated_unsafely: 0,
            mixed_up: 0,
            retries_connection: 0,
            retries_busy: 0,
            tracking_ids: Vec::new(),
            acknowledged: Latency::new(),
            outcome: Latency::new(),
            settled: Latency::new(),
            last_answer: Duration::ZERO,
            last_outcome: Duration::ZERO,
            last_confirmed: Duration::ZERO,
            last_decided_at: None,
        }
    }

    /// A buyer got an answer to a request first sent at `sent`.
    pub(crate) fn answered(&mut self, sent: Instant) {
        self.acknowledged.record(sent.elapsed());
        self.last_answer = self.began.elapsed();
    }

    pub(crate) fn accepted(&mut self, tracking_id: Uuid) {
        self.accepted += 1;
        self.tracking_ids.push(tracking_id.as_u128());
    }

    /// A synchronous confirmation named this order.
    pub(crate) fn named(&mut self, tracking_id: Uuid) {
        self.tracking_ids.push(tracking_id.as_u128());
    }

    /// A buyer learned the outcome of a request first sent at `sent`.
    pub(crate) fn decided(&mut self, fate: Fate, sent: Instant, decided_at: Option<DateTime<Utc>>) {
        match fate {
            Fate::Confirmed => {
                self.confirmed += 1;
                self.last_confirmed = self.began.elapsed();
                self.last_decided_at = self.last_decided_at.max(decided_at);
            }
            Fate::Refused(reason) => count(&mut self.refused, reason),
            Fate::Parked => self.parked += 1,
            Fate::Undecided => return,
        }
        self.outcome.record(sent.elapsed());
        self.last_outcome = self.began.elapsed();
    }

    pub(crate) fn failed(&mut self, last_heard: String) {
        count(&mut self.failed, last_heard);
    }

    /// Buyers whose story has ended.
    pub(crate) fn ended(&self) -> u64 {
        self.confirmed
            + sum(&self.refused)
            + self.lost
            + self.parked
            + sum(&self.failed)
            + self.unknown
    }

    /// Tracking IDs given to more than one buyer: how often too many.
    pub(crate) fn duplicates(&mut self) -> u64 {
        self.tracking_ids.sort_unstable();
        self.tracking_ids.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64
    }
}

fn count(counts: &mut Counts, word: String) {
    *counts.entry(word).or_default() += 1;
}

pub(crate) fn sum(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// Milliseconds, to the microsecond.
pub(crate) fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// A distribution of times.
#[derive(Debug)]
pub(crate) struct Latency(Option<Histogram<u64>>);

impl Latency {
    fn new() -> Self {
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

    pub(crate) fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
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
    fn an_id_given_to_three_buyers_is_two_too_many() {
        let mut tally = Tally::new(Instant::now());
        for id in [1, 2, 1, 3, 1] {
            tally.accepted(Uuid::from_u128(id));
        }
        assert_eq!(tally.duplicates(), 2);
    }

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
