//! The rescue: purchases that the broker itself dead-lettered get their missing `PARKED` rows, so
//! that a dead letter is never a tracking ID without an answer.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use shared::domain::envelope;
use shared::pipeline::key::KeyRing;
use shared::pipeline::relay::Relay;
use shared::ports::{DeadLetter, Ports};
use tokio::time::MissedTickBehavior;
use tracing::{debug, warn};

/// Dead letters looked at in one pass.
const PEEK_MAX: usize = 256;

/// Looks for dead letters for ever; drop the future to stop.
pub(crate) async fn rescue(ports: Ports, keys: Arc<KeyRing>, relay: Relay, every: Duration) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = 0;
    loop {
        tick.tick().await;
        let Ok(status) = ports.queue.status().await else { continue };
        gauge!("doorbuster_dead_letters").set(status.dead_letters as f64);
        // Looking takes letters out and puts them back: not without a reason.
        if status.dead_letters == seen {
            continue;
        }
        match park_all(&ports, &keys, &relay).await {
            Ok(()) => seen = status.dead_letters,
            Err(error) => debug!(error, "dead letters are looked at again later"),
        }
    }
}

async fn park_all(ports: &Ports, keys: &KeyRing, relay: &Relay) -> Result<(), String> {
    let letters = ports.queue.peek_dead(PEEK_MAX).await.map_err(|error| error.to_string())?;
    for body in letters {
        let Ok(envelope) = envelope::decode(&body) else { continue };
        for purchase in envelope.purchases {
            if !keys.minter().is_some_and(|minter| minter.key().verify(purchase.id)) {
                continue;
            }
            let letter = DeadLetter {
                order_id: Some(purchase.id),
                body: envelope::encode(std::slice::from_ref(&purchase)),
                error: "dead-lettered by the broker".into(),
            };
            let parked = ports.ledger.park(&letter).await.map_err(|error| error.to_string())?;
            if let Some(announcement) = parked {
                warn!(order_id = %purchase.id, "parked a purchase that the broker dead-lettered");
                relay.offer(announcement);
            }
        }
    }
    Ok(())
}
