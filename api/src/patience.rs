//! The timer behind hyper's time limit for a client's headers: one for a whole connection.
//!
//! hyper asks for a timer with every request and gives it back unused. Each would be put on the runtime's wheel and
//! taken off it, under a lock that all connections share: a twentieth of what a small answer costs. This one stays
//! on the wheel, and is moved on when it has run out.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time;

/// The timer of one connection, whose task alone waits for it.
#[derive(Clone, Default)]
pub(crate) struct Patience(Arc<Mutex<Option<Pin<Box<time::Sleep>>>>>);

/// Over at `deadline`.
struct Until {
    deadline: time::Instant,
    timer: Patience,
}

impl Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline: deadline.into(), timer: self.clone() })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into()
    }
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timer = self.timer.0.lock().unwrap_or_else(PoisonError::into_inner);
        let timer = timer.get_or_insert_with(|| Box::pin(time::sleep_until(self.deadline)));
        if timer.deadline() > self.deadline {
            timer.as_mut().reset(self.deadline);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            // It ran out for an earlier request.
            timer.as_mut().reset(self.deadline);
        }
    }
}

impl Sleep for Until {}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn each_wait_is_as_long_as_its_own_limit() {
        let timer = Patience::default();
        for waited_s in [9, 9, 0, 10, 3, 10] {
            let began = time::Instant::now();
            let mut until = timer.sleep(LIMIT);
            let waited = Duration::from_secs(waited_s);
            let ended = time::timeout(waited, &mut until).await.is_ok();
            assert_eq!((ended, began.elapsed()), (waited == LIMIT, waited));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_shorter_than_the_last_is_not_late() {
        let timer = Patience::default();
        assert!(time::timeout(Duration::ZERO, timer.sleep(LIMIT)).await.is_err());
        let began = time::Instant::now();
        timer.sleep(LIMIT / 2).await;
        assert_eq!(began.elapsed(), LIMIT / 2);
    }
}
