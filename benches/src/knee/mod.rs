//! The knee: the highest rate that a shop sustains, and how it feels just below.
//!
//! ```text
//!  judge  whether a step was sustained      table  for people
//! ```
//!
//! A closed loop measures capacity first. Then open loops go up from 10 % of it, a tenth at a time
//! (and beyond it 10 % more each time, for it may have been a bad moment), until two steps in a row are
//! not sustained, and bisect the last gap. Near capacity a queue's length
//! depends on luck; that is why the latency to promise is the one at 80 % of the knee.

mod judge;
mod table;

use std::time::Duration;

use serde::Serialize;

use crate::engine::{Load, LoadError, measure};
use crate::figures::{rounded, sum};
use crate::measure::{Arrivals, Measurement};

/// Steps per capacity.
const STEPS: u32 = 10;
/// An open loop may carry more than the closed one did; this ends at about seven times as much.
const STEPS_MAX: u32 = 3 * STEPS;
const BEYOND: f64 = 1.1;
/// Halvings of the last gap: the knee is known to 10 % / 2³ of capacity.
const HALVINGS: u32 = 3;
/// Unsustained steps in a row after which it does not get better.
const UNSUSTAINED_MAX: u32 = 2;
/// Where latency is promised: this much of the knee.
const PROMISED: f64 = 0.8;

/// The options of a search.
#[derive(Debug, Clone)]
pub struct KneePlan {
    /// What each step does; its arrivals say only with how many connections.
    pub load: Load,
    /// 99 of 100 answers must come within this time.
    pub p99_max: Duration,
}

/// One rate that was tried.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Requests per second.
    pub rate: f64,
    /// Whether the shop kept up.
    pub sustained: bool,
    /// Why not, one phrase each.
    pub why: Vec<String>,
    /// The whole measurement.
    pub measurement: Measurement,
}

/// What the search found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Knee {
    /// The scenario's name.
    pub scenario: String,
    /// The limit to the 99th percentile, in milliseconds.
    pub p99_max_ms: f64,
    /// What the closed loop reached, per second: answers, or outcomes where these are fewer.
    pub capacity_per_s: f64,
    /// The closed loop.
    pub capacity: Measurement,
    /// The rates that were tried, in their order.
    pub steps: Vec<Step>,
    /// The highest rate that was sustained; `None` if none was.
    pub knee_per_s: Option<f64>,
    /// At 80 % of the knee.
    pub promised: Option<Step>,
    /// What must not be, one sentence each.
    pub problems: Vec<String>,
}

/// Searches the knee, and shows each step to `watcher` when it is done.
pub async fn knee(plan: KneePlan, mut watcher: impl FnMut(&Step)) -> Result<Knee, LoadError> {
    if plan.p99_max.is_zero() {
        return Err(LoadError::Option("--p99-max-ms must be more than 0"));
    }
    let capacity = measure(plan.load.clone()).await?;
    let capacity_per_s = reached(&capacity, plan.load.warm_up);
    let mut search = Search { plan, steps: Vec::new(), watcher: &mut watcher };
    if capacity_per_s > 0.0 {
        search.climb(capacity_per_s / f64::from(STEPS)).await?;
        search.halve().await?;
    }
    let knee_per_s = search.sustained();
    let promised = match knee_per_s {
        Some(rate) => Some(search.take(rate * PROMISED).await?),
        None => None,
    };
    let Search { plan, steps, .. } = search;
    let measured = [&capacity].into_iter().chain(steps.iter().map(|step| &step.measurement));
    let problems =
        problems(measured.chain(promised.iter().map(|step| &step.measurement)), knee_per_s);
    Ok(Knee {
        scenario: plan.load.name(),
        p99_max_ms: plan.p99_max.as_secs_f64() * 1e3,
        capacity_per_s,
        capacity,
        steps,
        knee_per_s,
        promised,
        problems,
    })
}

/// What a closed loop says about capacity: a shop that accepts more than it settles falls behind.
fn reached(closed: &Measurement, warm_up: Duration) -> f64 {
    let accepted_per_s = sum(&closed.ended) as f64 / (closed.wall_s + warm_up.as_secs_f64());
    let settled_share = match closed.settled_per_s {
        Some(settled_per_s) if accepted_per_s > 0.0 => (settled_per_s / accepted_per_s).min(1.0),
        _ => 1.0,
    };
    rounded(closed.answered_per_s * settled_share)
}

struct Search<'a, W> {
    plan: KneePlan,
    steps: Vec<Step>,
    watcher: &'a mut W,
}

impl<W: FnMut(&Step)> Search<'_, W> {
    /// Up by `step` per second each time, until it does not get better.
    async fn climb(&mut self, step: f64) -> Result<(), LoadError> {
        let (mut rate, mut unsustained) = (0.0, 0);
        for number in 1..=STEPS_MAX {
            rate = if number <= STEPS { rate + step } else { rate * BEYOND };
            let taken = self.take(rate).await?;
            unsustained = if taken.sustained { 0 } else { unsustained + 1 };
            self.steps.push(taken);
            if unsustained == UNSUSTAINED_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Halves the gap between the highest rate that was sustained and the next that was not.
    async fn halve(&mut self) -> Result<(), LoadError> {
        for _ in 0..HALVINGS {
            let Some(low) = self.sustained() else { return Ok(()) };
            let above = self.steps.iter().map(|step| step.rate).filter(|rate| *rate > low);
            let Some(high) = above.min_by(f64::total_cmp) else { return Ok(()) };
            let taken = self.take(f64::midpoint(low, high)).await?;
            self.steps.push(taken);
        }
        Ok(())
    }

    /// The highest rate that was sustained.
    fn sustained(&self) -> Option<f64> {
        let sustained = self.steps.iter().filter(|step| step.sustained);
        sustained.map(|step| step.rate).max_by(f64::total_cmp)
    }

    async fn take(&mut self, rate: f64) -> Result<Step, LoadError> {
        let rate = rounded(rate);
        let connections = self.plan.load.connections();
        let arrivals = Arrivals::Open { rates: vec![(0.0, rate)], connections };
        let measurement = measure(Load { arrivals, ..self.plan.load.clone() }).await?;
        let why = judge::against(&measurement, rate, self.plan.p99_max);
        let step = Step { rate, sustained: why.is_empty(), why, measurement };
        (self.watcher)(&step);
        Ok(step)
    }
}

/// Everything that must not be. That a step fails beyond the knee is what the search is for; that a
/// purchase is lost is wrong at any rate.
fn problems<'a>(
    measured: impl Iterator<Item = &'a Measurement>,
    knee_per_s: Option<f64>,
) -> Vec<String> {
    let lost: u64 = measured.filter_map(|measurement| measurement.lost).sum();
    let found = [
        (lost > 0, format!("{lost} accepted purchases were lost")),
        (knee_per_s.is_none(), "no rate was sustained; is the shop well?".to_owned()),
    ];
    found.into_iter().filter_map(|(is_so, sentence)| is_so.then_some(sentence)).collect()
}
