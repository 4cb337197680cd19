//! The feed: keeps the boards up to date from the fanouts, for as long as the program runs.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tracing::{debug, info, warn};

use super::Boards;
use super::drift::BoardBeat;
use crate::domain::StockLevel;
use crate::ports::{BusError, BusMessage, Clock, EventBus, Ledger, LedgerClock, StockUpdate};

/// Pause after a failure; short, since a board that is not fed only costs ledger reads.
const PAUSE: Duration = Duration::from_millis(250);

/// A snapshot is taken again this often: clocks are stepped, and an announcement may be lost.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(5);

/// Catalogues that were announced and could not be loaded.
const LOAD_FAILURES: &str = "doorbuster_catalogue_load_failures_total";

/// Keeps the boards fed for ever. Drop the future to stop.
pub async fn feed(
    boards: Arc<Boards>,
    bus: Arc<dyn EventBus>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<LedgerClock>,
) {
    // From zero: a counter that appears with its first event has not risen.
    counter!(LOAD_FAILURES).increment(0);
    tokio::join!(
        announcements(&boards, &*bus, &*ledger, &clock),
        snapshots(&boards, &*ledger, &clock)
    );
}

async fn snapshots(boards: &Boards, ledger: &dyn Ledger, clock: &LedgerClock) {
    loop {
        tokio::time::sleep(SNAPSHOT_EVERY).await;
        if let Err(error) = snapshot(boards, ledger, clock).await {
            debug!(%error, "no snapshot");
        }
    }
}

/// Subscribes, takes a snapshot, applies; over and over.
async fn announcements(
    boards: &Boards,
    bus: &dyn EventBus,
    ledger: &dyn Ledger,
    clock: &LedgerClock,
) {
    let mut down = false;
    loop {
        let Err(error) = follow(boards, bus, ledger, clock, &mut down).await;
        gauge!("doorbuster_feed_up").set(0.0);
        // Said once per outage, not four times a second.
        if down {
            debug!(%error, "the boards are still not fed");
        } else {
            warn!(%error, "the boards are not fed; reading the ledger instead");
        }
        down = true;
        // With the bus away the ledger may still have a newer catalogue, or a first one.
        let _ = snapshot(boards, ledger, clock).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Bind, then snapshot, then apply: nothing announced in between is missed.
async fn follow(
    boards: &Boards,
    bus: &dyn EventBus,
    ledger: &dyn Ledger,
    clock: &LedgerClock,
    down: &mut bool,
) -> Result<std::convert::Infallible, BusError> {
    let mut subscription = bus.subscribe().await?;
    *down = false;
    gauge!("doorbuster_feed_up").set(1.0);
    info!("boards are fed");
    if let Err(error) = snapshot(boards, ledger, clock).await {
        warn!(%error, "no snapshot; waiting for the next heartbeat");
    }
    loop {
        match subscription.next().await? {
            BusMessage::Stock(update) => take(boards, &update, ledger, clock).await,
            BusMessage::Outcomes(orders) => boards.outcomes.apply(&orders),
            BusMessage::Event(_) => {}
        }
    }
}

async fn take(boards: &Boards, update: &StockUpdate, ledger: &dyn Ledger, clock: &LedgerClock) {
    let Some(heartbeat) = update.heartbeat else {
        return boards.stock.announced(&update.stock);
    };
    // A heartbeat that was long under way must not make an old count look fresh.
    let lag_ms = clock.now().millis().saturating_sub(heartbeat.ledger_time.millis()).max(0);
    beat(boards, &update.stock, Duration::from_millis(lag_ms.unsigned_abs()));
    gauge!("doorbuster_feed_lag_seconds").set(lag_ms as f64 / 1_000.0);
    if let Err(error) = boards.catalogue.refresh(heartbeat.catalogue_version, ledger).await {
        counter!(LOAD_FAILURES).increment(1);
        warn!(%error, "the catalogue could not be reloaded");
    }
}

/// Shows what the ledger says, and tells where something else was shown.
fn beat(boards: &Boards, levels: &[StockLevel], age: Duration) {
    let BoardBeat { healed, within, standing } = boards.beat(levels, age);
    counter!("doorbuster_board_drift_healed_total").increment(healed);
    if healed > 0 {
        histogram!("doorbuster_board_drift_seconds").record(within.as_secs_f64());
        warn!(products = healed, ?within, "the board had counts that the ledger never had");
    }
    gauge!("doorbuster_board_ahead_products").set(standing.products as f64);
    gauge!("doorbuster_board_ahead_oldest_seconds").set(standing.oldest.as_secs_f64());
}

async fn snapshot(
    boards: &Boards,
    ledger: &dyn Ledger,
    clock: &LedgerClock,
) -> Result<(), crate::ports::LedgerError> {
    let asked = clock.local();
    let pulse = ledger.pulse().await?;
    clock.correct(asked, pulse.now);
    beat(boards, &pulse.levels, Duration::ZERO);
    boards.catalogue.refresh(pulse.catalogue_version, ledger).await
}
