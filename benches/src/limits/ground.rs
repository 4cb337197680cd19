//! What all measurements share: how long, when to stop, whom to tell.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::LimitError;

/// Connections are opened, statements prepared and scripts loaded before anything counts; at most
/// for as long as what counts.
pub(super) const WARM_UP_MAX: Duration = Duration::from_millis(200);

/// The conditions of a measurement.
pub struct Ground<'a> {
    /// How long each figure is measured, those of HTTP apart.
    pub each: Duration,
    /// How long each figure of HTTP is.
    pub each_http: Duration,
    /// Keep-alive connections to the HTTP server.
    pub connections: usize,
    /// Cancelled when the rest is not wanted any more; what was made is taken away all the same.
    pub stop: CancellationToken,
    /// Hears of every figure as it is found, for people who wait.
    pub say: &'a dyn Fn(&str),
}

impl Ground<'_> {
    /// Runs `work` to its end, or until all is to stop.
    pub(super) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, LimitError>>,
    ) -> Result<T, LimitError> {
        self.stop.run_until_cancelled(work).await.unwrap_or(Err(LimitError::Stopped))
    }

    /// Runs `work` for a moment, and then for as long as is to be measured.
    pub(super) async fn warm(
        &self,
        mut work: impl AsyncFnMut(Duration) -> Result<Pace, LimitError>,
    ) -> Result<Pace, LimitError> {
        work(WARM_UP_MAX.min(self.each)).await?;
        work(self.each).await
    }
}

/// So many in so much time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    done: u64,
    elapsed: Duration,
}

impl Pace {
    /// `done` since `began`.
    pub(super) fn since(began: Instant, done: u64) -> Self {
        Self { done, elapsed: began.elapsed() }
    }

    /// How many.
    pub(super) fn done(self) -> u64 {
        self.done
    }

    /// How many per second.
    pub(super) fn per_s(self) -> f64 {
        self.done as f64 / self.elapsed.as_secs_f64()
    }

    /// `amount` of something, for each.
    pub(super) fn share(self, amount: f64) -> f64 {
        amount / self.done.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_stopped_says_so() {
        let stop = CancellationToken::new();
        let ground = Ground {
            each: Duration::ZERO,
            each_http: Duration::ZERO,
            connections: 1,
            stop: stop.clone(),
            say: &|_| (),
        };
        assert!(matches!(ground.unless_stopped(async { Ok(7) }).await, Ok(7)));
        stop.cancel();
        let endless = ground.unless_stopped(std::future::pending::<Result<(), _>>()).await;
        assert!(matches!(endless, Err(LimitError::Stopped)));
    }
}
