//! Cuts the run into tenths of a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::engine::recorder::Recorder;
use crate::engine::scenario::Scenario;
use crate::engine::stock::Watch;

const TICK: Duration = Duration::from_millis(100);

/// From `start` until `over`.
pub(crate) async fn tick(
    scenario: Scenario,
    recorder: Arc<Recorder>,
    watch: Arc<Watch>,
    start: Instant,
    over: CancellationToken,
) {
    let mut pace = interval_at(start.into(), TICK);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let cut = |is_kept| {
        let settled = scenario.takes_units().then(|| watch.taken());
        let waiting = scenario.is_async().then(|| watch.waiting());
        recorder.record().tick(is_kept, settled, waiting);
        Instant::now()
    };
    let mut last = None;
    while over.run_until_cancelled(pace.tick()).await.is_some() {
        last = Some(cut(last.is_some()));
    }
    // The last one is cut short, but not so short that its rates would mean nothing.
    if last.is_some_and(|last| last.elapsed() > TICK / 2) {
        cut(true);
    }
}
