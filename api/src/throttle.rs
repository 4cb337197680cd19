//! Saying something at most once a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);

/// Lets one call a second through.
pub(crate) struct Throttle(Mutex<Option<Instant>>);

impl Throttle {
    /// A throttle that lets the first call through.
    pub(crate) const fn per_second() -> Self {
        Self(Mutex::new(None))
    }

    /// Does `action`, or nothing if something was done within the last second.
    pub(crate) fn or_skip(&self, action: impl FnOnce()) {
        let now = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| now.duration_since(last) >= PAUSE) {
            *last = Some(now);
            drop(last);
            action();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_calls_one_goes_through() {
        let throttle = Throttle::per_second();
        let mut done = 0;
        (0..100).for_each(|_| throttle.or_skip(|| done += 1));
        assert_eq!(done, 1);
    }
}
