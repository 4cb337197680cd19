//! How much a client may send.

use std::num::NonZeroU32;

use shared::domain::RatePolicy;
use tokio::time::Instant;

/// Messages at once; a page that opens has something to ask for.
const BURST: NonZeroU32 = NonZeroU32::new(64).unwrap();
/// One more message is earned after so long.
const MESSAGE_US: u64 = 50_000;
/// One more with a fault after so long.
const FAULT_US: u64 = 1_000_000;

/// So many at once, and one more from time to time.
#[derive(Debug)]
pub(super) struct Allowance {
    policy: RatePolicy,
    since: Instant,
    earned_us: Option<u64>,
}

impl Allowance {
    /// Of messages: 64, and 20 a second.
    pub(super) fn messages() -> Self {
        Self::every(MESSAGE_US)
    }

    /// Of messages with which something is wrong: 64, and one a second.
    pub(super) fn faults() -> Self {
        Self::every(FAULT_US)
    }

    fn every(interval_us: u64) -> Self {
        let policy = RatePolicy { burst: BURST, interval_us };
        Self { policy, since: Instant::now(), earned_us: None }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self) -> bool {
        let now_us = self.since.elapsed().as_micros() as u64;
        let (earned_us, rated) = self.policy.take(self.earned_us, now_us);
        self.earned_us = Some(earned_us);
        rated.allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_is_earned_again() {
        let mut allowance = Allowance::messages();
        assert_eq!((0..100).filter(|_| allowance.take()).count(), 64);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..100).filter(|_| allowance.take()).count(), 20);
    }
}
