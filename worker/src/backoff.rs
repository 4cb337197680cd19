//! Pauses between attempts: doubled each time, jittered so that workers do not march in step.

use std::time::Duration;

use metrics::counter;
use shared::ports::LedgerError;
use tokio_util::sync::CancellationToken;
use tracing::warn;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// The shutdown came while something waited to be tried again.
#[derive(Debug)]
pub(crate) struct Stopped;

/// A row of growing pauses.
pub(crate) struct Backoff {
    next: Duration,
    shutdown: CancellationToken,
}

impl Backoff {
    /// Pauses that end at once on `shutdown`.
    pub(crate) fn new(shutdown: CancellationToken) -> Self {
        Self { next: FIRST, shutdown }
    }

    /// Starts over with a short pause.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Waits after an outage of the ledger. What is in hand stays there: it is nobody's fault.
    pub(crate) async fn after(&mut self, error: &LedgerError) -> Result<(), Stopped> {
        counter!("doorbuster_waits_in_hand_total").increment(1);
        warn!(%error, "waiting for the ledger with the batch in hand");
        self.pause().await
    }

    /// Waits half to all of the next pause.
    pub(crate) async fn pause(&mut self) -> Result<(), Stopped> {
        let pause = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        let slept = self.shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
        slept.ok_or(Stopped)
    }
}
