//! Looks at the purchase queue once a second, so that asking for its state costs the broker
//! nothing.

use std::time::Duration;

use metrics::gauge;
use shared::boards::OutcomeBoard;
use shared::domain::Timestamp;
use shared::ports::{Clock, PurchaseQueue, QueueError, QueueStatus};
use tokio::sync::watch;
use tokio::time::timeout;

const EVERY: Duration = Duration::from_secs(1);
/// The first sample is waited for so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// A broker that takes longer to answer counts as away. Longer than the adapter's own limit, after
/// which it takes a new line to the broker.
const AWAY_AFTER: Duration = Duration::from_secs(3);

/// What the queue looked like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Depth, consumers, dead letters.
    pub status: QueueStatus,
    /// An estimate of how long the oldest message has waited, in seconds. What waits was accepted
    /// after the latest purchase known to be settled, and after the queue was last seen empty.
    pub oldest_age_s: f64,
}

type Latest = Option<Result<Sample, QueueError>>;

/// The latest sample.
pub struct Sampler(watch::Sender<Latest>);

impl Default for Sampler {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Sampler {
    /// The latest sample; right after the start, the first.
    pub async fn latest(&self) -> Result<Sample, QueueError> {
        let mut samples = self.0.subscribe();
        let first = timeout(PATIENCE, samples.wait_for(Option::is_some)).await;
        let latest = first.ok().and_then(Result::ok).and_then(|latest| (*latest).clone());
        latest.unwrap_or_else(|| Err(late()))
    }

    /// Whether what waits in the queue has waited for longer than this, or nobody knows.
    pub fn is_behind(&self, seconds: f64) -> bool {
        !matches!(&*self.0.borrow(), Some(Ok(sample)) if sample.oldest_age_s <= seconds)
    }

    /// Samples for as long as the program runs.
    pub async fn run(&self, queue: &dyn PurchaseQueue, outcomes: &OutcomeBoard, clock: &dyn Clock) {
        let mut tick = tokio::time::interval(EVERY);
        let mut empty_at = clock.now();
        loop {
            tick.tick().await;
            let status = timeout(AWAY_AFTER, queue.status()).await.unwrap_or_else(|_| Err(late()));
            let sample = status.map(|status| {
                let now = clock.now();
                if status.depth == 0 {
                    empty_at = now;
                }
                let since = outcomes.settled_through().max(Some(empty_at)).unwrap_or(empty_at);
                Sample { status, oldest_age_s: seconds_between(since, now) }
            });
            measure(&sample);
            self.0.send_replace(Some(sample));
        }
    }
}

fn late() -> QueueError {
    QueueError::Unavailable("the broker did not answer in time".into())
}

fn seconds_between(earlier: Timestamp, later: Timestamp) -> f64 {
    (later.millis() - earlier.millis()).max(0) as f64 / 1_000.0
}

fn measure(sample: &Result<Sample, QueueError>) {
    let Ok(Sample { status, oldest_age_s }) = sample else { return };
    gauge!("doorbuster_queue_depth").set(status.depth as f64);
    gauge!("doorbuster_queue_consumers").set(status.consumers as f64);
    gauge!("doorbuster_dead_letters").set(status.dead_letters as f64);
    gauge!("doorbuster_queue_oldest_age_seconds").set(*oldest_age_s);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_of_which_nobody_knows_is_behind() {
        let sampler = Sampler::default();
        assert!(sampler.is_behind(5.0), "not looked at yet");
        sampler.0.send_replace(Some(Err(late())));
        assert!(sampler.is_behind(5.0), "away");
        for (oldest_age_s, behind) in [(0.0, false), (5.0, false), (5.1, true)] {
            let status = QueueStatus { depth: 9, consumers: 1, dead_letters: 0 };
            sampler.0.send_replace(Some(Ok(Sample { status, oldest_age_s })));
            assert_eq!(sampler.is_behind(5.0), behind, "{oldest_age_s}");
        }
    }
}
