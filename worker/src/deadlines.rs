//! What happens because time passes: holds run out, payments fail to come, sales open and close.
//!
//! Any number of workers may do this at once. The ledger's clock judges, and whatever one has in
//! hand the others skip.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use shared::failpoints;
use shared::pipeline::relay::Relay;
use shared::ports::Ledger;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

/// Holds ended in one transaction: it keeps the rows of their products for some 50 ms, between which
/// purchases have their turn.
const BATCH_MAX: usize = 1_000;
/// The longest pause: a hold that is placed meanwhile may be shorter than any known before.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// The shortest: deadlines that follow closely upon each other are one batch.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// Ends holds and payments whose time is up, for ever; drop the future to stop.
pub(crate) async fn end_holds(ledger: Arc<dyn Ledger>, relay: Relay) {
    loop {
        let began = Instant::now();
        match ledger.expire(BATCH_MAX).await {
            Ok(expired) => {
                if expired.count > 0 {
                    failpoints::reach("expire.recorded").await;
                }
                expired.announcement.into_iter().for_each(|announcement| relay.offer(announcement));
                if expired.count > 0 {
                    counter!("doorbuster_expired_total").increment(expired.count as u64);
                    histogram!("doorbuster_expire_seconds").record(began.elapsed().as_secs_f64());
                    continue;
                }
                sleep(expired.next_in.unwrap_or(PAUSE_MAX).clamp(PAUSE_MIN, PAUSE_MAX)).await;
            }
            Err(error) => {
                counter!("doorbuster_expire_failures_total").increment(1);
                warn!(%error, "no holds are ended");
                sleep(PAUSE_MAX).await;
            }
        }
    }
}

/// Announces sales that open and close, for ever; drop the future to stop. The sales themselves do
/// not wait for it.
pub(crate) async fn announce_phases(ledger: Arc<dyn Ledger>, relay: Relay) {
    loop {
        match ledger.note_phases().await {
            Ok(Some(announcement)) => {
                relay.offer(announcement);
                continue;
            }
            Ok(None) => {}
            Err(error) => debug!(%error, "no sales are announced"),
        }
        sleep(PAUSE_MAX).await;
    }
}
