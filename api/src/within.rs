//! A time limit that costs nothing where nothing waits.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// It took longer than it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Runs `work` for `limit` at most. Most work is done at the first look: refusals, reads, bodies that came with
/// their headers. The timer, large as it is, is made only for what waits.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, TooLong> {
    let mut work = pin!(work);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Ok(done));
        }
        let timer = timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(context).map(|()| Err(TooLong))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_takes_too_long_is_given_up() {
        let long = Duration::from_secs(60);
        assert_eq!(within(long, async { 7 }).await, Ok(7));
        assert_eq!(within(long, tokio::task::yield_now()).await, Ok(()));
        let never = within(Duration::from_millis(1), std::future::pending::<()>());
        assert_eq!(never.await, Err(TooLong));
    }

    #[tokio::test]
    async fn work_is_looked_at_once_per_wake_up() {
        let mut looks = 0;
        let work = poll_fn(|_| {
            looks += 1;
            Poll::<()>::Pending
        });
        let mut waiting = Box::pin(within(Duration::from_secs(60), work));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop(waiting);
        assert_eq!(looks, 2);
    }
}
