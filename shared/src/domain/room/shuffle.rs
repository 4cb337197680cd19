//! A shuffle of any size without a list: a keyed permutation of `0..count`, and its inverse.
//!
//! A Feistel network permutes the next power of four; what falls outside the range is permuted again
//! until it falls inside (cycle walking, Black and Rogaway 2002).

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// Four make it look random to whoever does not know the seed (Luby and Rackoff); two more cost nothing.
const ROUNDS: u64 = 6;

/// A permutation of `0..count` that its seed chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shuffle {
    count: u64,
    seed: [u8; 16],
    half_bits: u32,
}

impl Shuffle {
    /// The shuffle of `count` that belongs to `seed`.
    pub fn new(count: u64, seed: [u8; 16]) -> Self {
        let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
        Self { count, seed, half_bits: bits.div_ceil(2).clamp(1, 31) }
    }

    /// Where `index` comes to stand.
    pub fn forward(&self, index: u64) -> u64 {
        self.walk(index, |value| (0..ROUNDS).fold(value, |value, round| self.mix(value, round)))
    }

    /// Who came to stand at `number`.
    pub fn back(&self, number: u64) -> u64 {
        self.walk(number, |value| {
            (0..ROUNDS).rev().fold(value, |value, round| self.unmix(value, round))
        })
    }

    fn walk(&self, from: u64, step: impl Fn(u64) -> u64) -> u64 {
        if from >= self.count {
            return from;
        }
        let mut value = step(from);
        while value >= self.count {
            value = step(value);
        }
        value
    }

    fn mix(&self, value: u64, round: u64) -> u64 {
        let (left, right) = self.split(value);
        self.join(right, left ^ self.noise(right, round))
    }

    fn unmix(&self, value: u64, round: u64) -> u64 {
        let (left, right) = self.split(value);
        self.join(right ^ self.noise(left, round), left)
    }

    fn split(&self, value: u64) -> (u64, u64) {
        (value >> self.half_bits, value & self.mask())
    }

    fn join(&self, left: u64, right: u64) -> u64 {
        left << self.half_bits | right
    }

    fn noise(&self, half: u64, round: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.seed);
        hasher.write(&half.to_be_bytes());
        hasher.write(&round.to_be_bytes());
        hasher.finish() & self.mask()
    }

    fn mask(&self) -> u64 {
        (1 << self.half_bits) - 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn everybody_gets_one_number_and_every_number_is_somebodys() {
        for count in [1, 2, 3, 5, 16, 17, 1_000, 4_097] {
            let shuffle = Shuffle::new(count, [3; 16]);
            let numbers: HashSet<_> = (0..count).map(|index| shuffle.forward(index)).collect();
            assert_eq!(numbers.len() as u64, count, "{count}");
            assert!(numbers.iter().all(|number| *number < count), "{count}");
            assert!(
                (0..count).all(|index| shuffle.back(shuffle.forward(index)) == index),
                "{count}"
            );
        }
    }

    #[test]
    fn who_is_outside_stays_where_they_are() {
        let shuffle = Shuffle::new(10, [3; 16]);
        assert_eq!((shuffle.forward(10), shuffle.back(99)), (10, 99));
        assert_eq!(Shuffle::new(0, [3; 16]).forward(0), 0);
    }

    /// Early birds end up everywhere: of the first tenth about a tenth is again in the first tenth.
    #[test]
    fn coming_early_wins_nothing() {
        let count = 10_000;
        for seed in 0..20 {
            let shuffle = Shuffle::new(count, [seed; 16]);
            let lucky =
                (0..count / 10).filter(|index| shuffle.forward(*index) < count / 10).count();
            // 100 of 1,000 expected; five standard deviations are 47.
            assert!((53..=147).contains(&lucky), "{lucky} with seed {seed}");
        }
    }

    #[test]
    fn another_seed_is_another_shuffle() {
        let (a, b) = (Shuffle::new(1_000, [1; 16]), Shuffle::new(1_000, [2; 16]));
        let same = (0..1_000).filter(|index| a.forward(*index) == b.forward(*index)).count();
        assert!(same < 20, "{same}");
    }
}
