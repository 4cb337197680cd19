//! How much of the products is settled, watched through the API.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::client::{Line, Request};
use crate::engine::recorder::Recorder;
use crate::engine::stage::Stage;
use crate::shop::Stock;

const EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

/// The latest counts that were shown, and how they grew.
#[derive(Default)]
pub(crate) struct Watch(Mutex<Seen>);

/// What was seen of the stock.
#[derive(Default)]
struct Seen {
    taken: u64,
    waiting: u64,
    changed: Option<Instant>,
    looks: Vec<(Instant, u64)>,
}

impl Watch {
    /// Units taken in this run, sold or held, when it was looked last.
    pub(crate) fn taken(&self) -> u64 {
        self.with(|seen| seen.taken)
    }

    /// Purchases that had been accepted when it was looked last, and were not settled.
    pub(crate) fn waiting(&self) -> u64 {
        self.with(|seen| seen.waiting)
    }

    /// When the latest change was seen.
    pub(crate) fn changed(&self) -> Option<Instant> {
        self.with(|seen| seen.changed)
    }

    /// Units taken per second between the first look after `start` and the last before `end`; where
    /// these are not two, between the first and the last of all.
    pub(crate) fn per_second(&self, start: Instant, end: Instant) -> Option<f64> {
        self.with(|seen| {
            let first = seen.looks.partition_point(|(at, _)| *at < start);
            let past = seen.looks.partition_point(|(at, _)| *at <= end);
            rate(&seen.looks[first..past]).or_else(|| rate(&seen.looks))
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// So many were taken, when `accepted` had been accepted.
    fn saw(&self, taken: u64, accepted: u64) {
        let now = Instant::now();
        self.with(|seen| {
            seen.waiting = accepted.saturating_sub(taken);
            if taken != seen.taken {
                (seen.taken, seen.changed) = (taken, Some(now));
            }
            seen.looks.push((now, taken));
        });
    }
}

fn rate(looks: &[(Instant, u64)]) -> Option<f64> {
    let [(first_at, first), .., (last_at, last)] = looks else { return None };
    Some(last.saturating_sub(*first) as f64 / (*last_at - *first_at).as_secs_f64())
}

/// Looks every 100 ms until `over`.
pub(crate) async fn watch(
    stage: Arc<Stage>,
    recorder: Arc<Recorder>,
    watch: Arc<Watch>,
    over: CancellationToken,
) {
    let mut line = Line::new(stage.targets.clone(), 0);
    let mut pace = interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while over.run_until_cancelled(pace.tick()).await.is_some() {
        let accepted = recorder.record().accepted_ever;
        if let Some(taken) = look(&stage, &mut line).await {
            watch.saw((taken - stage.taken_before).max(0) as u64, accepted);
        }
    }
}

/// Units taken of all products; `None` if one of them was not shown.
async fn look(stage: &Stage, line: &mut Line) -> Option<i64> {
    let mut taken = 0;
    for path in &stage.availabilities {
        let request = Request { method: "GET", path, headers: &[], body: b"" };
        let Ok(answer) = line.call(&request, PATIENCE).await else {
            line.back_off().await;
            return None;
        };
        taken += serde_json::from_slice::<Stock>(answer.body).ok()?.taken();
    }
    Some(taken)
}
