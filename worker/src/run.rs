//! The worker: consumers, heartbeat, deadlines, sweep and rescue, until told to stop.

use std::sync::Arc;

use metrics::counter;
use shared::config::Config;
use shared::pipeline::events::Events;
use shared::pipeline::key::KeyRing;
use shared::pipeline::relay::{Payer, Relay};
use shared::pipeline::settle::Settler;
use shared::ports::Ports;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::consume::Consumer;
use crate::{deadlines, heartbeat, rescue, sweep};

/// Works until `shutdown`, then finishes the batches in hand, acknowledges them, pays what is in
/// line for announcement, and returns.
pub async fn run(ports: Ports, config: &Config, shutdown: CancellationToken) {
    begin_counting();
    let keys = Arc::new(KeyRing::from_config(&config.tracking));
    let payer = Payer {
        gate: Arc::clone(&ports.gate),
        bus: Arc::clone(&ports.bus),
        queue: Arc::clone(&ports.queue),
        ledger: Arc::clone(&ports.ledger),
        events: Events::from_config(&config.events),
    };
    let (relay, relaying) = Relay::start(payer.clone());
    let rooms = TaskTracker::new();
    rooms.spawn(until(shutdown.clone(), heartbeat::beat(ports.clone(), config.worker.heartbeat)));
    rooms.spawn(until(shutdown.clone(), sweep::sweep(payer, config.worker.sweep)));
    let holds = deadlines::end_holds(Arc::clone(&ports.ledger), relay.clone());
    rooms.spawn(until(shutdown.clone(), holds));
    let phases = deadlines::announce_phases(Arc::clone(&ports.ledger), relay.clone());
    rooms.spawn(until(shutdown.clone(), phases));

    // Without the key nothing can be told from a forgery: purchases wait in the queue meanwhile.
    let key_known = keys.fetch(&*ports.ledger);
    if shutdown.run_until_cancelled(key_known).await.is_some() {
        let settler =
            Settler::new(Arc::clone(&ports.gate), Arc::clone(&ports.ledger), relay.clone());
        for _ in 0..config.settle.rounds.get() {
            let consumer = Consumer {
                queue: Arc::clone(&ports.queue),
                ledger: Arc::clone(&ports.ledger),
                settler: settler.clone(),
                relay: relay.clone(),
                keys: Arc::clone(&keys),
                batch_max: config.settle.batch_max.get(),
                shutdown: shutdown.clone(),
            };
            rooms.spawn(consumer.run());
        }
        let rescue = rescue::rescue(ports.clone(), keys, relay.clone(), config.worker.sweep);
        rooms.spawn(until(shutdown.clone(), rescue));
        info!("worker is ready");
    }
    rooms.close();
    rooms.wait().await;
    // Every settler is gone; with the last handle the relay pays what is in line and ends.
    drop(relay);
    let _ = relaying.await;
    info!("worker has stopped");
}

/// From zero: a counter that appears with its first event has not risen.
fn begin_counting() {
    for name in [
        "doorbuster_consumer_failures_total",
        "doorbuster_waits_in_hand_total",
        "doorbuster_heartbeat_failures_total",
        "doorbuster_expire_failures_total",
        "doorbuster_undecodable_total",
        "doorbuster_forged_total",
        "doorbuster_parked_total",
    ] {
        counter!(name).increment(0);
    }
}

async fn until(shutdown: CancellationToken, work: impl Future<Output = ()>) {
    shutdown.run_until_cancelled(work).await;
}
