//! The sweep: pays what a crash left in the outbox.

use std::time::Duration;

use shared::pipeline::relay::Payer;
use tokio::time::MissedTickBehavior;
use tracing::{debug, info};

/// Sweeps for ever; drop the future to stop.
pub(crate) async fn sweep(payer: Payer, every: Duration) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match payer.sweep().await {
            Ok(0) => {}
            Ok(found) => info!(found, "announced what a crash had left"),
            Err(error) => debug!(%error, "no sweep"),
        }
    }
}
