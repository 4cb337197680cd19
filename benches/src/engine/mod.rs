//! One measured run of one scenario: what it asked, what it heard, what it cost.
//!
//! ```text
//!  load      its options                    scenario  what is asked, which answer counts
//!  bare      what no shop could exceed
//!  stage     what must be there beforehand  turnstile when arrivals come, and who serves them
//!  schedule  the moments of an open loop    pacer     wakes the turnstile at these moments
//!  visitor   a connection                   request   what it sends        heard  what it is told
//!  recorder  counts and distributions       ticker    tenths of a second
//!  follow    a sample to its outcome        stock     how much is settled, by the product's stock
//!  books     every 202, after the load      findings  the measurement
//!  meters    what it costs                  process   from /proc           wal    the ledger's log
//! ```
//!
//! # What is measured
//!
//! An arrival's latency counts from the moment at which it was *due*. In an open loop these moments are
//! laid down beforehand, so a shop that stalls for a second shows a second to everybody who was due in
//! it, whether or not a connection was free to ask (no coordinated omission). Arrivals that no
//! connection took in time (5 s) are dropped, and counted.
//!
//! How fast purchases are settled is read from the product's stock, and how long an outcome takes from
//! a sample, so that watching costs the shop next to nothing. When the load is over, *every* 202 is
//! looked up, and the endings are held against the stock.

pub(crate) mod bare;
mod books;
mod error;
mod findings;
mod follow;
mod heard;
mod load;
mod meters;
mod pacer;
pub(crate) mod process;
mod progress;
mod recorder;
mod request;
mod scenario;
mod schedule;
mod stage;
mod stock;
mod table;
mod ticker;
mod turnstile;
mod visitor;
mod wal;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::engine::books::Endings;
use crate::engine::findings::Parts;
use crate::engine::follow::Followed;
use crate::engine::meters::Meters;
use crate::engine::stage::Stage;
use crate::engine::stock::Watch;
use crate::engine::visitor::Hall;
use crate::measure::Measurement;

pub use error::LoadError;
pub use load::{Buyer, Follow, Load, Watched};
pub use scenario::Scenario;

/// How often it is looked whether everything is settled.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Runs `load` to its end. What went wrong in the shop is in the measurement's `problems`; an error
/// means that there is nothing to report. Cheapest on a current-thread runtime, which leaves the
/// other cores to the system under test.
pub async fn measure(load: Load) -> Result<Measurement, LoadError> {
    measure_and_tell(load, |_| ()).await
}

/// The same; tells when the measured time begins, as soon as that is known.
pub(crate) async fn measure_and_tell(
    load: Load,
    tell: impl FnOnce(Instant),
) -> Result<Measurement, LoadError> {
    if let Some(fault) = load.fault() {
        return Err(LoadError::Option(fault));
    }
    let meters = Meters::open(&load).await?;
    let stage = Arc::new(Stage::set(&load).await?);
    let began = Instant::now();
    let start = began + load.warm_up;
    tell(start);
    let hall = Hall::open(&load, stage.clone(), began);
    let recorder = &hall.recorder;

    let over = CancellationToken::new();
    let _whatever_happens = over.clone().drop_guard();
    let (watch, ticking) = watch(&load, &hall, (began, start), &over);
    let (followed, inbox) = unbounded_channel();
    let sending = async {
        send(&hall, load.connections(), followed).await?;
        drain(&load, &hall, &watch).await;
        Ok(())
    };
    let following = async {
        follow::follow(stage.clone(), recorder.clone(), inbox, load.patience).await?;
        Ok(())
    };
    let metering = meters.between(&load, start, start + load.duration);
    let ((), (), used) = tokio::try_join!(sending, following, metering)?;
    over.cancel();
    ticking.await?;

    let endings = look_up(&load, &hall).await?;
    let disagreement = disagreement(&hall, endings.as_ref()).await?;
    let parts = Parts { load: &load, watch: &watch, start, used, endings, disagreement };
    Ok(Measurement::new(&mut recorder.record(), parts))
}

/// Starts whoever looks on, until `over`: what is seen of the stock, and the task that cuts ticks.
fn watch(
    load: &Load,
    hall: &Hall,
    (began, start): (Instant, Instant),
    over: &CancellationToken,
) -> (Arc<Watch>, JoinHandle<()>) {
    let watch = Arc::new(Watch::default());
    if load.scenario.takes_units() {
        let recorder = hall.recorder.clone();
        tokio::spawn(stock::watch(hall.stage.clone(), recorder, watch.clone(), over.clone()));
    }
    let recorder = hall.recorder.clone();
    let ticking = ticker::tick(load.scenario, recorder, watch.clone(), start, over.clone());
    if load.progress {
        let time = (began, load.warm_up + load.duration);
        tokio::spawn(progress::show(load.name(), hall.recorder.clone(), time, over.clone()));
    }
    (watch, tokio::spawn(ticking))
}

/// Serves all arrivals.
async fn send(
    hall: &Arc<Hall>,
    connections: usize,
    followed: UnboundedSender<Followed>,
) -> Result<(), LoadError> {
    let mut visitors = JoinSet::new();
    for first_url in 0..connections {
        visitors.spawn(hall.clone().visit(first_url, followed.clone()));
    }
    // The follower ends when nobody is left who could send it something.
    drop(followed);
    hall.turnstile.let_in(&hall.recorder).await.map_err(LoadError::Thread)?;
    while let Some(done) = visitors.join_next().await {
        done?;
    }
    Ok(())
}

/// Waits until everything accepted is settled, or nothing was for too long; also where nothing is
/// followed, so that the next run begins with an empty queue.
async fn drain(load: &Load, hall: &Hall, watch: &Watch) {
    if !load.scenario.is_async() {
        return;
    }
    let sent = Instant::now();
    let for_sale = (load.stock - hall.stage.taken_before).max(0) as u64;
    let accepted = hall.recorder.record().accepted_ever.min(for_sale);
    while watch.taken() < accepted {
        let last_change = watch.changed().map_or(sent, |at| at.max(sent));
        if last_change.elapsed() > load.patience {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What became of everything accepted; `None` where nothing is followed.
async fn look_up(load: &Load, hall: &Hall) -> Result<Option<Endings>, LoadError> {
    if !load.scenario.is_followed() {
        return Ok(None);
    }
    let ids = std::mem::take(&mut hall.recorder.record().accepted);
    let bar = progress::looking_up(load.name(), ids.len(), load.progress);
    let endings = books::look_up_all(&hall.stage, ids, load.patience, &bar).await?;
    bar.finish_and_clear();
    Ok(Some(endings))
}

/// What is wrong between buyers and stock. Holds run out by themselves, so they are not compared.
async fn disagreement(hall: &Hall, endings: Option<&Endings>) -> Result<Option<String>, LoadError> {
    let (answered, in_doubt) = {
        let record = hall.recorder.record();
        (record.answered_ever, record.in_doubt)
    };
    let told = match (hall.stage.scenario, endings) {
        (Scenario::Sync, _) => answered,
        (Scenario::Settle | Scenario::Mixed { .. }, Some(endings)) => endings.units(),
        _ => return Ok(None),
    };
    let lost = endings.map_or(0, |endings| endings.lost);
    Ok(books::disagreement(&hall.stage, told, in_doubt + lost).await?)
}
