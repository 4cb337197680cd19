//! Purchases per user and second on this instance.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use shared::domain::UserId;

use crate::problem::{Problem, kind};

/// Users who have been quiet for long enough are forgotten this often.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// A rate limit per user, or none.
pub struct UserLimits(Option<Limiter>);

struct Limiter {
    /// Keyed by a hash with a secret seed: 16 bytes per user whatever their name, and nobody can
    /// choose a name that shares another's limit.
    cells: DefaultKeyedRateLimiter<u64>,
    seed: RandomState,
    clock: DefaultClock,
}

impl UserLimits {
    /// At most `per_second` purchases per user and second, as many at once; 0 turns it off.
    pub fn new(per_second: u32) -> Self {
        Self(NonZeroU32::new(per_second).map(|per_second| Limiter {
            cells: RateLimiter::keyed(Quota::per_second(per_second)),
            seed: RandomState::new(),
            clock: DefaultClock::default(),
        }))
    }

    /// Counts a purchase of `user`; the problem says when the next one may come.
    pub fn check(&self, user: &UserId) -> Result<(), Problem> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.cells.check_key(&limiter.seed.hash_one(user)).map_err(|not_until| {
            let wait = not_until.wait_time_from(limiter.clock.now());
            Problem::plain(kind::RATE_LIMITED).retry_after(wait.as_secs() + 1)
        })
    }

    /// Forgets quiet users, for as long as the program runs: memory holds a second's worth of users.
    pub async fn forget_quiet_users(&self) {
        let Some(limiter) = &self.0 else { return };
        let mut tick = tokio::time::interval(FORGET_EVERY);
        loop {
            tick.tick().await;
            limiter.cells.retain_recent();
            limiter.cells.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    #[test]
    fn one_user_does_not_use_up_another_ones_limit() {
        let limits = UserLimits::new(2);
        assert!(limits.check(&user("a")).is_ok() && limits.check(&user("a")).is_ok());
        let problem = limits.check(&user("a")).unwrap_err();
        assert_eq!(problem.kind(), kind::RATE_LIMITED);
        assert!(limits.check(&user("b")).is_ok());
    }

    #[test]
    fn zero_is_off() {
        let limits = UserLimits::new(0);
        assert!((0..1_000).all(|_| limits.check(&user("a")).is_ok()));
    }
}
