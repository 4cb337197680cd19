//! A comparison of a running shop.

use std::time::Duration;

use chrono::SecondsFormat;
use tokio::sync::oneshot;

use super::comparison::{Comparison, Way};
use super::conduct::{Bench, Given, conduct};
use super::machine::Machine;
use super::plan::Offer;
use super::stall::Staller;
use crate::engine::{self, Load, LoadError, Scenario};
use crate::knee::{KneePlan, knee};
use crate::measure::{Arrivals, Measurement};

/// A rate is no capacity if more than 1 of 100 answers take longer.
const P99_MAX: Duration = Duration::from_millis(50);

/// The options of a comparison.
pub struct Plan {
    /// What all runs have in common; how much of what is asked, and for how long, is each run's own.
    pub load: Load,
    /// Connections that serve the arrivals.
    pub connections: usize,
    /// How long each steady load is offered, in seconds.
    pub seconds: f64,
    /// What the synchronous way can take, if it need not be found.
    pub sync_per_s: Option<f64>,
    /// What the asynchronous way can take, if it need not be found.
    pub async_per_s: Option<f64>,
    /// What was typed.
    pub command: String,
    /// Versions of programs, by name.
    pub software: Vec<(String, String)>,
    /// Hears what is being done.
    pub say: fn(&str),
}

/// Offers the same loads to both ways, one after the other. It takes some minutes.
pub async fn compare(plan: Plan) -> Result<Comparison, LoadError> {
    let mut machine = Machine::read();
    machine.software.extend(plan.software.iter().cloned());
    let staller = match &plan.load.postgres {
        Some(url) => Some(Staller::connect(url).await?),
        None => None,
    };
    if let Some(staller) = &staller {
        machine.software.insert("PostgreSQL".to_owned(), staller.version().await?);
    }
    let now = chrono::Utc::now();
    let given = Given {
        date: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        command: plan.command.clone(),
        machine,
        seconds: plan.seconds,
        sync_per_s: plan.sync_per_s,
        async_per_s: plan.async_per_s,
    };
    let mut live = Live { plan, staller, notes: Vec::new() };
    let mut comparison = conduct(&mut live, given).await?;
    comparison.notes.append(&mut live.notes);
    Ok(comparison)
}

struct Live {
    plan: Plan,
    staller: Option<Staller>,
    /// How capacities were found, and what must not be, of all runs.
    notes: Vec<String>,
}

impl Live {
    fn load(&self, way: Way, arrivals: Arrivals, seconds: f64) -> Load {
        let scenario = match way {
            Way::Sync => Scenario::Sync,
            Way::Async => Scenario::Settle,
        };
        let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Load { scenario, arrivals, duration, ..self.plan.load.clone() }
    }

    fn keep_problems(&mut self, what: &str, found: &Measurement) {
        let problems = found.problems.iter().map(|problem| format!("{what}: {problem}."));
        self.notes.extend(problems);
    }
}

impl Bench for Live {
    type Error = LoadError;

    async fn capacity(&mut self, way: Way) -> Result<f64, LoadError> {
        let what = format!("{} capacity", way.word());
        (self.plan.say)(&what);
        let arrivals = Arrivals::Closed { connections: self.plan.connections };
        let load = self.load(way, arrivals, self.plan.seconds);
        let say = self.plan.say;
        let found =
            knee(KneePlan { load, p99_max: P99_MAX }, |step| say(&step.to_string())).await?;
        let problems = found.problems.iter().map(|problem| format!("{what}: {problem}."));
        self.notes.extend(problems);
        if let Some(knee_per_s) = found.knee_per_s {
            self.notes.push(format!(
                "The {what} is the highest rate that was sustained with 99 of 100 answers within {} ms.",
                P99_MAX.as_millis()
            ));
            return Ok(knee_per_s);
        }
        self.notes.push(format!("The {what} is what connections that never pause got answered."));
        Ok(found.capacity_per_s.max(1.0))
    }

    async fn offer(&mut self, offer: &Offer) -> Result<Measurement, LoadError> {
        let what = offer.to_string();
        (self.plan.say)(&what);
        let (rates, connections) = (offer.rates.clone(), self.plan.connections);
        let load = self.load(offer.way, Arrivals::Open { rates, connections }, offer.seconds);
        let found = match (&self.staller, offer.stall) {
            (Some(staller), Some(stall)) => stalled(load, staller, stall).await?,
            _ => engine::measure(load).await?,
        };
        self.keep_problems(&what, &found);
        Ok(found)
    }

    fn cannot_stall(&self) -> Option<String> {
        self.staller.is_none().then(|| "its address was not given (--postgres)".to_owned())
    }
}

/// A run in which the ledger stands still, from a second of the measured time on, for so many seconds.
async fn stalled(
    load: Load,
    staller: &Staller,
    (at_s, for_s): (f64, f64),
) -> Result<Measurement, LoadError> {
    let (tell, told) = oneshot::channel();
    let running = engine::measure_and_tell(load, |start| {
        // Nobody listens any more only where the stall has failed, which ends the run too.
        let _ = tell.send(start);
    });
    let stalling = async {
        match told.await {
            Ok(start) => staller.stall(start + Duration::from_secs_f64(at_s), for_s).await,
            // The run has failed before it began, and says why.
            Err(_) => Ok(()),
        }
    };
    let (found, ()) = tokio::try_join!(running, stalling)?;
    Ok(found)
}
