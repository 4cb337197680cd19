//! What one measured run found: the common form of every report, plot and table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How requests arrive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Arrivals {
    /// Each connection asks again as soon as it is answered: measures capacity.
    #[serde(rename_all = "camelCase")]
    Closed {
        /// Keep-alive connections.
        connections: usize,
    },
    /// Requests are due at scheduled moments whether or not earlier ones are answered, and latency
    /// counts from the scheduled moment: measures what a buyer sees (no coordinated omission).
    #[serde(rename_all = "camelCase")]
    Open {
        /// The rate in requests per second, from each moment (in seconds) on; begins at 0.
        rates: Vec<(f64, f64)>,
        /// Keep-alive connections that serve the arrivals.
        connections: usize,
    },
}

/// A distribution of times, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many were recorded.
    pub count: u64,
    /// The mean.
    pub mean: f64,
    /// Half were faster.
    pub p50: f64,
    /// 90 of 100 were faster.
    pub p90: f64,
    /// 99 of 100 were faster.
    pub p99: f64,
    /// 999 of 1,000 were faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

/// A tenth of a second of a run, from the measured time's beginning until everything is settled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tick {
    /// Seconds since the measured time began, at the tick's end.
    pub at_s: f64,
    /// Arrivals that fell due in it.
    pub due: u64,
    /// Requests answered as asked for (202, 200, 201) in it.
    pub answered: u64,
    /// Requests refused in it: 409, 429, 503 and the like.
    pub refused: u64,
    /// Purchases settled in it, by the product's stock; `None` where nothing is bought.
    pub settled: Option<u64>,
    /// Accepted and not settled at its end; `None` where nothing is bought asynchronously.
    pub waiting: Option<u64>,
    /// The 99th percentile of the time to an answer in it, in milliseconds.
    pub acknowledged_p99_ms: Option<f64>,
}

/// What a process used during the measured time; its children are counted with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessUse {
    /// The name it was given, such as `api` or `postgres`; `load` is the generator itself.
    pub name: String,
    /// User and system time, in seconds.
    pub cpu_s: f64,
    /// The largest resident size seen, in bytes.
    pub rss_bytes_max: u64,
    /// The resident size at the measured time's beginning, in bytes.
    #[serde(default)]
    pub rss_bytes_begin: u64,
    /// And at its end.
    #[serde(default)]
    pub rss_bytes_end: u64,
}

/// What the ledger's server wrote during the measured time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WalUse {
    /// Bytes of write-ahead log.
    pub bytes: u64,
    /// Times that the log was synced to disk.
    pub syncs: u64,
}

/// One run of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// The scenario's name, such as `settle`.
    pub scenario: String,
    /// How requests arrived.
    pub arrivals: Arrivals,
    /// The measured time, without the warm-up before and the settling after it, in seconds.
    pub wall_s: f64,
    /// Arrivals that fell due (open loop) or requests sent (closed).
    pub due: u64,
    /// Arrivals never sent: every connection was busy for too long.
    pub dropped: u64,
    /// Requests answered as asked for.
    pub answered: u64,
    /// Answers as asked for that came within the measured time, over `wall_s`.
    pub answered_per_s: f64,
    /// Refusals by code.
    pub refused: BTreeMap<String, u64>,
    /// Requests without a usable answer, by what was heard last.
    pub failed: BTreeMap<String, u64>,
    /// Purchases settled within the measured time, per second.
    pub settled_per_s: Option<f64>,
    /// Accepted purchases that never came to an outcome, counted one by one after the run; must be 0.
    pub lost: Option<u64>,
    /// What became of the accepted purchases, one by one: status, or the reason of a refusal.
    #[serde(default)]
    pub ended: BTreeMap<String, u64>,
    /// From the last request to the last outcome, in seconds.
    pub drained_s: Option<f64>,
    /// From (scheduled) sending to the answer.
    pub acknowledged: Option<Percentiles>,
    /// From (scheduled) sending to the refusal, of those who were refused.
    #[serde(default)]
    pub turned_away: Option<Percentiles>,
    /// From (scheduled) sending until the buyer could know the outcome, of those followed.
    pub outcome: Option<Percentiles>,
    /// What happened when.
    pub ticks: Vec<Tick>,
    /// Whose processor time it took.
    pub processes: Vec<ProcessUse>,
    /// What it took of the log.
    pub wal: Option<WalUse>,
    /// What must not be, one sentence each.
    #[serde(default)]
    pub problems: Vec<String>,
}
