//! The heartbeat: every half second the stock of all active products, to the gate and to every
//! board. Whatever drifted is right again within a second.

use std::time::Duration;

use metrics::{counter, gauge};
use shared::planted::planted;
use shared::ports::{BusMessage, Heartbeat, Ports, StockUpdate, SyncMode};
use tokio::time::MissedTickBehavior;
use tracing::debug;

use crate::drift::GateDrifts;

/// Beats for ever; drop the future to stop.
pub(crate) async fn beat(ports: Ports, every: Duration) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drifts = GateDrifts::default();
    loop {
        tick.tick().await;
        if let Err(error) = once(&ports, &mut drifts).await {
            counter!("doorbuster_heartbeat_failures_total").increment(1);
            debug!(error, "no heartbeat");
        }
    }
}

async fn once(ports: &Ports, drifts: &mut GateDrifts) -> Result<(), String> {
    let pulse = ports.ledger.pulse().await.map_err(|error| error.to_string())?;
    gauge!("doorbuster_active_products").set(pulse.levels.len() as f64);
    // The gate and the boards do not depend on each other: one away must not silence the other.
    let levels = if planted("gate-not-beaten") { &[] } else { &*pulse.levels };
    let synced = ports.gate.sync(levels, SyncMode::NewerOrEqual).await;
    let synced = synced.map(|found| drifts.note(levels, &found));
    let heartbeat =
        Heartbeat { catalogue_version: pulse.catalogue_version, ledger_time: pulse.now };
    let update = StockUpdate { stock: pulse.levels, heartbeat: Some(heartbeat) };
    let announced = ports.bus.publish(&[BusMessage::Stock(update.into())]).await;
    synced.map_err(|error| error.to_string())?;
    announced.map_err(|error| error.to_string())
}
