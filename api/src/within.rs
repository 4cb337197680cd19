//! A time limit that costs nothing where nothing waits.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::error::Elapsed;

/// Runs `work` for `limit` at most. Most work is done at the first try: bodies that came with their
/// headers, refusals, reads. The timer, large as it is, is made only for what waits.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let mut work = pin!(work);
    match futures::poll!(&mut work) {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => Box::pin(tokio::time::timeout(limit, work)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_takes_too_long_is_given_up() {
        let long = Duration::from_secs(60);
        assert_eq!(within(long, async { 7 }).await, Ok(7));
        assert!(within(long, tokio::task::yield_now()).await.is_ok());
        assert!(within(Duration::from_millis(1), std::future::pending::<()>()).await.is_err());
    }
}
