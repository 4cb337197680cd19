//! Follows every 202 to its end, hundreds per request, while the crowd is still sending.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use uuid::Uuid;

use crate::client::{Answer, Line, Request};
use crate::shop::ShopError;
use crate::shop::error::refused;
use crate::stampede::answer::{Fate, Outcome, Purchase};
use crate::stampede::holds::errand::Errand;
use crate::stampede::run::Run;
use crate::stampede::waiting::{Pending, Waiting};

const PATH: &str = "/api/v1/purchases/query";
/// The contract's limit of one query.
const IDS_MAX: usize = 500;
/// While nothing is decided only this many are asked for, so that asking does not slow settling.
const IDS_PROBE: usize = 16;
/// Between queries when the last found everything there was to find.
const PAUSE_IDLE: Duration = Duration::from_millis(5);
/// Between queries when the last found next to nothing decided.
const PAUSE_PROBE: Duration = Duration::from_millis(10);
/// After an answer that is no answer.
const PAUSE_BUSY: Duration = Duration::from_millis(100);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    tracking_ids: Vec<Uuid>,
}

#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    purchases: Vec<Purchase<'a>>,
    unknown: Vec<Uuid>,
}

/// Follows until everything accepted is decided, or time is up: the rest is lost. Holders whose hold
/// is granted go on to `errands`.
pub(crate) async fn follow_all(
    run: Arc<Run>,
    inbox: UnboundedReceiver<Pending>,
    errands: UnboundedSender<Errand>,
) -> Result<(), ShopError> {
    let mut line = Line::new(run.targets.clone(), 0);
    let mut waiting = Waiting::new(inbox);
    let mut ids_max = IDS_PROBE;
    while !run.time_left().is_zero() {
        let batch = waiting.take(ids_max);
        if batch.is_empty() {
            if waiting.is_over() {
                return Ok(());
            }
            waiting.wait(run.time_left()).await;
            continue;
        }
        let asked = batch.len();
        let left = ask(&run, &mut line, batch, &errands).await?;
        let decided = asked - left.len();
        waiting.put_back(left);
        // Purchases are settled about in the order of acceptance: when the oldest are still queued,
        // so are the others.
        let pause = if decided * 8 < asked {
            ids_max = (ids_max / 4).max(IDS_PROBE);
            PAUSE_PROBE
        } else {
            ids_max = (ids_max * 4).min(IDS_MAX);
            if asked < IDS_PROBE { PAUSE_IDLE } else { Duration::ZERO }
        };
        run.pause(pause).await;
    }
    run.tally().lost += waiting.drain();
    Ok(())
}

/// Asks once; gives back those that are not decided yet.
async fn ask(
    run: &Run,
    line: &mut Line,
    batch: Vec<Pending>,
    errands: &UnboundedSender<Errand>,
) -> Result<Vec<Pending>, ShopError> {
    let query = Query { tracking_ids: batch.iter().map(|pending| pending.id).collect() };
    let unreadable = |source| ShopError::Answer { what: format!("POST {PATH}"), source };
    let body = serde_json::to_vec(&query).map_err(unreadable)?;
    let request = Request { method: "POST", path: PATH, headers: &[], body: &body };
    match line.call(&request, run.patience()).await {
        Ok(Answer { status: 200, body, .. }) => {
            let found = serde_json::from_slice(body).map_err(unreadable)?;
            Ok(conclude(run, batch, &found, errands))
        }
        Ok(Answer { status: 429 | 500..=599, .. }) => {
            run.tally().retries_busy += 1;
            run.pause(PAUSE_BUSY).await;
            Ok(batch)
        }
        Ok(Answer { status, body, .. }) => Err(refused(&format!("POST {PATH}"), status, body)),
        Err(_) => {
            run.tally().retries_connection += 1;
            line.back_off().await;
            Ok(batch)
        }
    }
}

fn conclude(
    run: &Run,
    batch: Vec<Pending>,
    found: &Found<'_>,
    errands: &UnboundedSender<Errand>,
) -> Vec<Pending> {
    let mut open: HashMap<Uuid, Pending> = HashMap::with_capacity(batch.len());
    // An ID given to two buyers is a fault of the shop; the second buyer is followed all the same.
    let mut left: Vec<Pending> =
        batch.into_iter().filter_map(|pending| open.insert(pending.id, pending)).collect();
    for purchase in &found.purchases {
        let fate = purchase.fate();
        if fate == Fate::Undecided {
            continue;
        }
        let Some(pending) = open.remove(&purchase.tracking_id) else { continue };
        let buyer = u64::from(pending.buyer);
        {
            let mut tally = run.tally();
            tally.mixed_up += u64::from(!purchase.is_of(&run.user_id(buyer)));
            if let Some(took_us) = purchase.settle_us() {
                tally.stage(run.intent(buyer)).settled.record_us(took_us);
            }
        }
        let Pending { id, sent, .. } = pending;
        let outcome = Outcome { buyer, id, fate, sent, decided_at: purchase.decided_at };
        if let Some(errand) = run.decided(outcome) {
            // The crowd goes only when the run has failed as a whole.
            let _ = errands.send(errand);
        }
    }
    for id in &found.unknown {
        if open.remove(id).is_some() {
            run.tally().lost += 1;
        }
    }
    left.extend(open.into_values());
    left
}
