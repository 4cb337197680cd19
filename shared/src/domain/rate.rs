//! Rate limits: the generic cell rate algorithm (GCRA, ITU-T I.371, appendix I).
//!
//! Of each key one number is kept, the moment at which everything it took would have been earned. Whoever
//! takes one moves it on by the interval; who would move it further ahead than a whole burst is refused.

use std::num::NonZeroU32;
use std::time::Duration;

use nohash_hasher::IntMap;

/// So many at once, and one more after each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatePolicy {
    /// At once.
    pub burst: NonZeroU32,
    /// Until one more is earned, in microseconds; not 0.
    pub interval_us: u64,
}

impl RatePolicy {
    /// `count` in every `window`, all of them at once if need be.
    pub fn per(count: NonZeroU32, window: Duration) -> Self {
        let interval_us = window.as_micros() as u64 / u64::from(count.get());
        Self { burst: count, interval_us: interval_us.max(1) }
    }

    /// A whole burst's worth of time, in microseconds.
    pub const fn window_us(self) -> u64 {
        self.interval_us.saturating_mul(self.burst.get() as u64)
    }

    /// Takes one for a key whose earned moment is `earned_us`; the moment afterwards.
    pub fn take(self, earned_us: Option<u64>, now_us: u64) -> (u64, Rated) {
        let earned_us = earned_us.unwrap_or(now_us).max(now_us);
        let ahead_us = earned_us - now_us;
        let allowed = ahead_us.saturating_add(self.interval_us) <= self.window_us();
        let taken_us = if allowed { self.interval_us } else { 0 };
        (earned_us + taken_us, Rated { policy: self, allowed, ahead_us: ahead_us + taken_us })
    }

    /// Gives one back; the moment afterwards.
    pub fn give_back(self, earned_us: u64) -> u64 {
        earned_us.saturating_sub(self.interval_us)
    }
}

/// What became of an attempt to take one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rated {
    /// By which rule.
    pub policy: RatePolicy,
    /// Whether there was one to take.
    pub allowed: bool,
    /// What is taken and not earned yet, in microseconds.
    pub ahead_us: u64,
}

impl Rated {
    /// How many more could be taken at once.
    pub fn remaining(&self) -> u32 {
        let left_us = self.policy.window_us().saturating_sub(self.ahead_us);
        u32::try_from(left_us / self.policy.interval_us).unwrap_or(u32::MAX)
    }

    /// Until a whole burst could be taken again.
    pub fn reset(&self) -> Duration {
        Duration::from_micros(self.ahead_us)
    }

    /// Until the next one could be taken.
    pub fn retry_after(&self) -> Duration {
        let next_us = self.ahead_us.saturating_add(self.policy.interval_us);
        Duration::from_micros(next_us.saturating_sub(self.policy.window_us()))
    }
}

/// Keys and what they took, bounded: two generations, of which the older one is forgotten when the younger
/// one is full. A flood of new keys costs those that are quiet their memory, and nobody else anything. Keys are hashes
/// already, and are not hashed again: that nobody can choose them is the caller's care.
#[derive(Debug)]
pub struct RateTable {
    young: IntMap<u64, u64>,
    old: IntMap<u64, u64>,
    generation_max: usize,
}

impl RateTable {
    /// A table of up to `keys_max` keys, 2 at least.
    pub fn new(keys_max: usize) -> Self {
        let generation_max = (keys_max / 2).max(1);
        Self { young: IntMap::default(), old: IntMap::default(), generation_max }
    }

    /// Takes one.
    pub fn take(&mut self, key: u64, policy: RatePolicy, now_us: u64) -> Rated {
        let (earned_us, rated) = policy.take(self.get(key), now_us);
        self.put(key, earned_us);
        rated
    }

    /// Gives one back.
    pub fn give_back(&mut self, key: u64, policy: RatePolicy) {
        if let Some(earned_us) = self.get(key) {
            self.put(key, policy.give_back(earned_us));
        }
    }

    /// Others took too: what `key` took is earned at `earned_us`, or later if that is known.
    pub fn raise(&mut self, key: u64, earned_us: u64) {
        if self.get(key).is_none_or(|known_us| known_us < earned_us) {
            self.put(key, earned_us);
        }
    }

    /// Keys that are remembered.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn get(&self, key: u64) -> Option<u64> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn put(&mut self, key: u64, earned_us: u64) {
        if self.young.len() >= self.generation_max && !self.young.contains_key(&key) {
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
        self.young.insert(key, earned_us);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn five_per_second() -> RatePolicy {
        RatePolicy::per(NonZeroU32::new(5).unwrap(), Duration::from_secs(1))
    }

    #[test]
    fn a_burst_and_then_one_after_each_interval() {
        let (mut table, policy) = (RateTable::new(10), five_per_second());
        let mut take = |now_us| table.take(1, policy, now_us);
        let burst: Vec<_> = (0..5).map(|_| take(0).remaining()).collect();
        assert_eq!(burst, [4, 3, 2, 1, 0]);
        let refused = take(0);
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after(), Duration::from_millis(200));
        assert_eq!(refused.reset(), Duration::from_secs(1));
        assert!(!take(199_999).allowed && take(200_000).allowed && !take(200_000).allowed);
        assert_eq!(take(10 * SECOND_US).remaining(), 4);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (mut table, policy) = (RateTable::new(10), five_per_second());
        (0..5).for_each(|_| assert!(table.take(1, policy, 0).allowed));
        table.give_back(1, policy);
        assert!(table.take(1, policy, 0).allowed && !table.take(1, policy, 0).allowed);
        table.give_back(2, policy);
        assert_eq!(table.take(2, policy, 0).remaining(), 4, "not more than a burst");
    }

    #[test]
    fn what_others_took_is_taken_here_too() {
        let (mut table, policy) = (RateTable::new(10), five_per_second());
        assert_eq!(table.take(1, policy, 0).remaining(), 4);
        table.raise(1, 800_000);
        assert_eq!(table.take(1, policy, 0).remaining(), 0);
        table.raise(1, 400_000);
        assert!(!table.take(1, policy, 0).allowed, "nothing is given back");
        table.raise(2, 600_000);
        assert_eq!(table.take(2, policy, 0).remaining(), 1);
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_forgets_the_quiet_ones_first() {
        let (mut table, policy) = (RateTable::new(1_000), five_per_second());
        (0..5).for_each(|_| assert!(table.take(u64::MAX, policy, 0).allowed));
        for key in 0..100_000 {
            assert!(table.take(key, policy, 0).allowed);
            if key % 100 == 0 {
                assert!(!table.take(u64::MAX, policy, 0).allowed, "whoever goes on is known");
            }
            assert!(table.len() <= 1_001);
        }
    }

    proptest! {
        /// In no stretch of time is more taken than a burst and what is earned in it.
        #[test]
        fn never_more_than_a_burst_and_what_is_earned(
            burst in 1_u32..20,
            interval_us in 1_u64..10_000,
            steps in prop::collection::vec(0_u64..20_000, 1..200),
        ) {
            let policy = RatePolicy { burst: NonZeroU32::new(burst).unwrap(), interval_us };
            let (mut now_us, mut earned_us, mut taken) = (0, None, Vec::new());
            for step_us in steps {
                now_us += step_us;
                let (next_us, rated) = policy.take(earned_us, now_us);
                earned_us = Some(next_us);
                if rated.allowed {
                    taken.push(now_us);
                }
            }
            for (i, from_us) in taken.iter().enumerate() {
                for (j, to_us) in taken.iter().enumerate().skip(i) {
                    let count = (j - i + 1) as u64;
                    prop_assert!(count <= u64::from(burst) + (to_us - from_us) / interval_us);
                }
            }
        }
    }
}
