//! Follows a sample of the 202s to their outcome while the load is on.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use uuid::Uuid;

use crate::client::Line;
use crate::engine::recorder::Recorder;
use crate::engine::stage::Stage;
use crate::shop::ShopError;
use crate::shop::purchases::{IDS_MAX, query};

/// While nothing is decided only this many are asked for, so that asking does not slow settling.
const IDS_PROBE: usize = 16;
/// Between queries: what an outcome may be seen too late.
const PAUSE: Duration = Duration::from_millis(5);
/// When none of the oldest was decided for so long, others are asked for: stuck ones hide nobody.
const STUCK: Duration = Duration::from_secs(1);

/// A purchase that is followed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Followed {
    pub(crate) id: Uuid,
    pub(crate) due: Instant,
}

/// Follows everything that comes in by `inbox`, until it is closed and all are decided, or nothing
/// was for `patience`: whoever is lost is found when the books are checked.
pub(crate) async fn follow(
    stage: Arc<Stage>,
    recorder: Arc<Recorder>,
    mut inbox: UnboundedReceiver<Followed>,
    patience: Duration,
) -> Result<(), ShopError> {
    let mut line = Line::new(stage.targets.clone(), 0);
    let mut waiting: VecDeque<Followed> = VecDeque::new();
    let mut ids: Vec<Uuid> = Vec::with_capacity(IDS_MAX);
    let mut ids_max = IDS_PROBE;
    let mut last_decided = Instant::now();
    loop {
        while let Ok(followed) = inbox.try_recv() {
            waiting.push_back(followed);
        }
        if waiting.is_empty() {
            let Some(followed) = inbox.recv().await else { return Ok(()) };
            waiting.push_back(followed);
            last_decided = Instant::now();
        }
        if inbox.is_closed() && last_decided.elapsed() > patience {
            return Ok(());
        }
        ids.clear();
        ids.extend(waiting.iter().take(ids_max).map(|followed| followed.id));
        let decided = query(&mut line, &ids, |found| {
            let decided = found.purchases.iter().filter(|purchase| purchase.is_decided());
            decided.map(|purchase| purchase.tracking_id).collect::<HashSet<Uuid>>()
        });
        let decided = decided.await?.unwrap_or_default();
        if decided.is_empty() && last_decided.elapsed() > STUCK {
            waiting.rotate_left(ids.len());
        }
        if !decided.is_empty() {
            last_decided = Instant::now();
            let mut record = recorder.record();
            waiting.retain(|followed| {
                let is_decided = decided.contains(&followed.id);
                if is_decided {
                    record.outcome(followed.due);
                }
                !is_decided
            });
        }
        // Purchases are settled about in the order of acceptance: when the oldest are still queued,
        // so are the others.
        ids_max = if decided.len() == ids.len() { IDS_MAX } else { IDS_PROBE };
        tokio::time::sleep(PAUSE).await;
    }
}
