//! The waiting room of a sale: who comes first is let in first, and no more than can be served.
//!
//! Whoever joins gets the next *index*. The line is ordered by *number*: those who joined before the
//! opening are shuffled among the first numbers when the sale opens, so that it wins nothing to come
//! early; everybody else's number is their index. Numbers below `admitted` have been called.

mod seal;
mod shuffle;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::seal::{Forged, Pass, Seal, Ticket};
pub use self::shuffle::Shuffle;
use super::time::Timestamp;

/// The rate is made up for after a pause for so long at most.
const SAVED_MAX_MS: i64 = 1_000;

/// How a sale's waiting room lets people in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoomRules {
    /// Shoppers let in per second, at most.
    pub admit_per_second: u32,
    /// Shoppers inside at once, at most.
    pub max_inside: u32,
    /// How long a shopper who was let in may buy.
    pub pass_seconds: u32,
    /// Who is not heard of for so long has left.
    pub patience_seconds: u32,
    /// How long before the sale people may join, to be shuffled when it opens; 0: nobody can join before.
    pub pre_queue_seconds: u32,
}

impl Default for RoomRules {
    fn default() -> Self {
        Self {
            admit_per_second: 100,
            max_inside: 1_000,
            pass_seconds: 120,
            patience_seconds: 45,
            pre_queue_seconds: 0,
        }
    }
}

impl RoomRules {
    /// How long a pass is good.
    pub fn pass(&self) -> Duration {
        Duration::from_secs(self.pass_seconds.into())
    }

    /// How long somebody is believed to be there without a word.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience_seconds.into())
    }
}

/// The shuffle of those who joined before the opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// How many they were.
    pub count: u64,
    /// What decided; drawn at the opening, by nobody.
    pub seed: [u8; 16],
}

/// A line as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// Indexes that were given out: `0..joined`.
    pub joined: u64,
    /// Indexes that may be given out without reserving more.
    pub reserved: u64,
    /// How the early ones were shuffled; none before the opening.
    pub draw: Option<Draw>,
    /// Numbers that were called: `0..admitted`.
    pub admitted: u64,
    /// Shoppers who are inside.
    pub inside: u64,
    /// Until when the rate was used up, in milliseconds by the line's clock.
    pub used_until_ms: i64,
    /// Since when the line is kept where it is, by the line's clock.
    pub since_ms: i64,
    /// The line's clock.
    pub now_ms: i64,
}

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The sale has not opened: nobody has a number yet.
    Early,
    /// So many are in front of them.
    Waiting {
        /// Numbers that are called before.
        ahead: u64,
    },
    /// Their number was called.
    Called,
}

impl Line {
    /// The number of an index; none before the opening.
    pub fn number(&self, index: u64) -> Option<u64> {
        self.draw.map(|draw| Shuffle::new(draw.count, draw.seed).forward(index))
    }

    /// Where an index stands.
    pub fn standing(&self, index: u64) -> Standing {
        match self.number(index) {
            None => Standing::Early,
            Some(number) if number < self.admitted => Standing::Called,
            Some(number) => Standing::Waiting { ahead: number - self.admitted },
        }
    }

    /// The indexes that are called next, `max` at most.
    pub fn next(&self, max: u64) -> Vec<u64> {
        let Some(draw) = self.draw else { return vec![] };
        let shuffle = Shuffle::new(draw.count, draw.seed);
        let end = self.joined.min(self.admitted.saturating_add(max));
        (self.admitted..end).map(|number| shuffle.back(number)).collect()
    }

    /// How many may be let in now, where `servable` shoppers can get something.
    pub fn allowance(&self, rules: &RoomRules, servable: u64) -> u64 {
        let saved_ms = (self.now_ms - self.used_until_ms).clamp(0, SAVED_MAX_MS).unsigned_abs();
        let by_rate = saved_ms * u64::from(rules.admit_per_second) / 1_000;
        let by_room = u64::from(rules.max_inside).saturating_sub(self.inside);
        // Everybody inside may take theirs.
        let by_stock = servable.saturating_sub(self.inside);
        by_rate.min(by_room).min(by_stock)
    }

    /// Until when the rate is used up once `called` more are let in.
    pub fn used_after(&self, rules: &RoomRules, called: u64) -> i64 {
        let from = self.used_until_ms.max(self.now_ms - SAVED_MAX_MS);
        let used_ms = called.saturating_mul(1_000) / u64::from(rules.admit_per_second).max(1);
        from.saturating_add_unsigned(used_ms)
    }

    /// Who of `candidates`, each with when they were last heard of, is let in when `allowance` may be: how
    /// many numbers are called, and the indexes of those who are there. Who is not there is passed over.
    pub fn call(
        &self,
        rules: &RoomRules,
        candidates: &[(u64, Option<i64>)],
        allowance: u64,
    ) -> (u64, Vec<u64>) {
        let patience_ms = i64::from(rules.patience_seconds) * 1_000;
        // After the line was lost nobody has been heard of yet.
        let silent_since_ms = self.now_ms - patience_ms;
        let all_are_believed = self.since_ms > silent_since_ms;
        let mut called = Vec::new();
        let mut numbers = 0;
        for (index, heard_ms) in candidates {
            let there = heard_ms.is_some_and(|heard| heard > silent_since_ms);
            if there || (all_are_believed && heard_ms.is_none()) {
                if called.len() as u64 == allowance {
                    break;
                }
                called.push(*index);
            }
            numbers += 1;
        }
        (numbers, called)
    }
}

/// When something that happens `rate_per_s` times a second will have happened `ahead` times.
pub fn estimate(ahead: u64, rate_per_s: f64) -> Option<Duration> {
    (rate_per_s > 0.0).then(|| Duration::try_from_secs_f64(ahead as f64 / rate_per_s).ok())?
}

/// When a pass that was given at `called_ms` ends.
pub fn pass_ends(called_ms: i64, rules: &RoomRules) -> Timestamp {
    Timestamp::from_millis(called_ms.saturating_add(i64::from(rules.pass_seconds) * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: RoomRules = RoomRules {
        admit_per_second: 10,
        max_inside: 50,
        pass_seconds: 120,
        patience_seconds: 30,
        pre_queue_seconds: 0,
    };

    fn line() -> Line {
        Line {
            joined: 100,
            reserved: 1_000,
            draw: Some(Draw { count: 0, seed: [0; 16] }),
            now_ms: 100_000,
            used_until_ms: 99_000,
            ..Line::default()
        }
    }

    #[test]
    fn who_came_first_is_called_first() {
        let line = Line { admitted: 10, ..line() };
        assert_eq!(line.standing(9), Standing::Called);
        assert_eq!(line.standing(10), Standing::Waiting { ahead: 0 });
        assert_eq!(line.standing(99), Standing::Waiting { ahead: 89 });
        assert_eq!(line.next(3), [10, 11, 12]);
        assert_eq!(Line { draw: None, ..line }.standing(0), Standing::Early);
    }

    #[test]
    fn who_joined_before_the_opening_is_shuffled_before_all_others() {
        let line = Line { draw: Some(Draw { count: 60, seed: [9; 16] }), ..line() };
        let order = line.next(100);
        assert_ne!(order[..60], (0..60).collect::<Vec<_>>());
        let mut early = order[..60].to_vec();
        early.sort_unstable();
        assert_eq!(early, (0..60).collect::<Vec<_>>());
        assert_eq!(order[60..], (60..100).collect::<Vec<_>>());
        assert!(order.iter().enumerate().all(|(n, i)| line.number(*i) == Some(n as u64)));
    }

    #[test]
    fn nobody_is_let_in_faster_than_the_rate_or_beyond_room_and_stock() {
        assert_eq!(line().allowance(&RULES, 1_000), 10);
        assert_eq!(Line { used_until_ms: 99_750, ..line() }.allowance(&RULES, 1_000), 2);
        assert_eq!(Line { used_until_ms: 0, ..line() }.allowance(&RULES, 1_000), 10);
        assert_eq!(Line { used_until_ms: 100_001, ..line() }.allowance(&RULES, 1_000), 0);
        assert_eq!(Line { inside: 47, ..line() }.allowance(&RULES, 1_000), 3);
        assert_eq!(Line { inside: 4, ..line() }.allowance(&RULES, 5), 1);
        assert_eq!(Line { inside: 4, ..line() }.allowance(&RULES, 3), 0);
    }

    #[test]
    fn the_rate_is_kept_over_ticks_that_do_not_divide_it() {
        let mut line = line();
        let mut called = 0;
        for _ in 0..400 {
            line.now_ms += 25;
            let allowed = line.allowance(&RULES, u64::MAX);
            line.used_until_ms = line.used_after(&RULES, allowed);
            called += allowed;
        }
        assert!((100..=110).contains(&called), "{called} in ten seconds at ten a second");
    }

    #[test]
    fn who_is_not_there_is_passed_over_and_costs_nothing() {
        let heard = |ms| Some(line().now_ms - ms);
        let candidates =
            [(0, heard(100)), (1, heard(30_000)), (2, None), (3, heard(0)), (4, heard(0))];
        assert_eq!(line().call(&RULES, &candidates, 2), (4, vec![0, 3]));
        assert_eq!(line().call(&RULES, &candidates, 9), (5, vec![0, 3, 4]));
        assert_eq!(line().call(&RULES, &candidates[1..3], 0), (2, vec![]));
        assert_eq!(line().call(&RULES, &candidates, 0), (0, vec![]));
    }

    #[test]
    fn after_the_line_was_lost_nobody_is_passed_over_unheard() {
        let lost = Line { since_ms: line().now_ms - 1_000, ..line() };
        assert_eq!(lost.call(&RULES, &[(0, None), (1, None)], 9), (2, vec![0, 1]));
    }

    #[test]
    fn an_estimate_needs_a_rate() {
        assert_eq!(estimate(50, 10.0), Some(Duration::from_secs(5)));
        assert_eq!(estimate(50, 0.0), None);
    }
}
