//! What was measured of both ways.

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use crate::measure::Measurement;

/// How a purchase goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The outcome is in the response.
    Sync,
    /// 202 and a tracking ID; the outcome comes later.
    Async,
}

impl Way {
    /// Both, in the order of every table.
    pub const BOTH: [Self; 2] = [Self::Sync, Self::Async];

    /// As people say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sync => "synchronous",
            Self::Async => "asynchronous",
        }
    }
}

/// Everything about one comparison; the JSON of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// When, as RFC 3339.
    pub date: String,
    /// What was typed.
    pub command: String,
    /// On what.
    pub machine: Machine,
    /// How long each load was offered, in seconds.
    pub seconds: f64,
    /// What each way can take.
    pub capacities: Vec<Capacity>,
    /// The steady loads, rising.
    pub loads: Vec<LoadPoint>,
    /// The crowd that comes at once.
    pub burst: Option<Event>,
    /// The database that stands still.
    pub stall: Option<Event>,
    /// What a reader should know besides.
    pub notes: Vec<String>,
}

/// What one way can take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Which.
    pub way: Way,
    /// Requests per second that it keeps up with.
    pub per_s: f64,
    /// Whether it was given instead of being found.
    pub given: bool,
}

/// One steady load, offered to both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadPoint {
    /// Such as `50 % of the smaller capacity`.
    pub name: String,
    /// Requests due per second.
    pub offered_per_s: f64,
    /// One of each way.
    pub runs: Vec<WayRun>,
}

/// A load with something happening in the middle of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Requests due per second before and after it.
    pub base_per_s: f64,
    /// Requests due per second while it lasts.
    pub peak_per_s: f64,
    /// When it begins, in seconds.
    pub from_s: f64,
    /// When it ends, in seconds.
    pub to_s: f64,
    /// One of each way.
    pub runs: Vec<WayRun>,
}

/// What one way made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WayRun {
    /// Which.
    pub way: Way,
    /// What was found.
    pub measurement: Measurement,
}

impl Comparison {
    /// Accepted purchases of all runs that never came to an outcome.
    pub fn lost(&self) -> u64 {
        let events = [&self.burst, &self.stall].into_iter().flatten().map(|event| &event.runs);
        let runs = self.loads.iter().map(|load| &load.runs).chain(events).flatten();
        runs.filter_map(|run| run.measurement.lost).sum()
    }

    /// What a way can take; 0 if nobody knows.
    pub(crate) fn capacity_per_s(&self, way: Way) -> f64 {
        self.capacities.iter().find(|one| one.way == way).map_or(0.0, |one| one.per_s)
    }
}

/// The run of one way among those of a load or event.
pub(crate) fn run_of(runs: &[WayRun], way: Way) -> Option<&Measurement> {
    runs.iter().find(|run| run.way == way).map(|run| &run.measurement)
}
