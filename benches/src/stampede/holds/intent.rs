//! What each buyer comes to do, known from the buyer's number alone, so that a run can be repeated.

use std::time::Duration;

/// 2⁶⁴ divided by the golden ratio: its multiples, modulo 2⁶⁴, spread evenly over every prefix
/// (Knuth, TAOCP vol. 3, 6.4), so each share is met to within a few buyers at any moment of a run.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// The bits that a `f64` takes without rounding.
const MANTISSA_BITS: u32 = 53;
/// Shares that should add up to 1 may miss it by this much.
const ROUNDING: f64 = 1e-9;

/// The shares of buyers that hold, and of what becomes of the holds that were granted; each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Holds {
    /// Of all buyers: those who hold instead of buying.
    pub hold: f64,
    /// Of the holders: those who check out.
    pub checkout: f64,
    /// Of the holders: those who do nothing more. The others cancel.
    pub abandon: f64,
    /// How long after the crowd abandoned holds may take to come back; `None`: until 10 s after the
    /// last deadline.
    pub expiry_wait: Option<Duration>,
}

impl Default for Holds {
    fn default() -> Self {
        Self { hold: 0.0, checkout: 1.0, abandon: 0.0, expiry_wait: None }
    }
}

/// What a buyer comes to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    Buy,
    HoldAndCheckOut,
    HoldAndCancel,
    HoldAndAbandon,
}

impl Intent {
    pub(crate) fn holds(self) -> bool {
        self != Self::Buy
    }
}

impl Holds {
    /// Buyer `number`'s.
    pub(crate) fn intent(&self, number: u64) -> Intent {
        let spread = number.wrapping_add(1).wrapping_mul(GOLDEN) >> (u64::BITS - MANTISSA_BITS);
        let place = spread as f64 / (1_u64 << MANTISSA_BITS) as f64;
        if place >= self.hold {
            return Intent::Buy;
        }
        let among_holders = place / self.hold;
        if among_holders < self.checkout {
            Intent::HoldAndCheckOut
        } else if among_holders < self.checkout + self.abandon + ROUNDING {
            Intent::HoldAndAbandon
        } else {
            Intent::HoldAndCancel
        }
    }

    /// Says what is wrong with the shares, if anything is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let rules = [
            (!is_share(self.hold), "--hold must be 0 to 1"),
            (!is_share(self.checkout), "--checkout must be 0 to 1"),
            (!is_share(self.abandon), "--abandon must be 0 to 1"),
            (
                self.checkout + self.abandon > 1.0 + ROUNDING,
                "--checkout and --abandon are shares of the same holders: together at most 1",
            ),
        ];
        rules.into_iter().find_map(|(broken, rule)| broken.then_some(rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(holds: Holds, buyers: u64, intent: Intent) -> u64 {
        (0..buyers).filter(|number| holds.intent(*number) == intent).count() as u64
    }

    #[test]
    fn every_share_is_met_in_every_prefix() {
        let holds = Holds { hold: 0.5, checkout: 0.6, abandon: 0.3, ..Holds::default() };
        for buyers in [100, 1_000, 50_000] {
            for (intent, share) in [
                (Intent::Buy, 0.5),
                (Intent::HoldAndCheckOut, 0.3),
                (Intent::HoldAndAbandon, 0.15),
                (Intent::HoldAndCancel, 0.05),
            ] {
                let off = count(holds, buyers, intent) as f64 - share * buyers as f64;
                assert!(off.abs() < 5.0, "{intent:?} of {buyers}: {off}");
            }
        }
    }

    #[test]
    fn none_and_all_are_exact() {
        let all = |hold, checkout, abandon| Holds { hold, checkout, abandon, expiry_wait: None };
        assert_eq!(count(Holds::default(), 10_000, Intent::Buy), 10_000);
        assert_eq!(count(all(1.0, 1.0, 0.0), 10_000, Intent::HoldAndCheckOut), 10_000);
        assert_eq!(count(all(1.0, 0.0, 1.0), 10_000, Intent::HoldAndAbandon), 10_000);
        assert_eq!(count(all(1.0, 0.0, 0.0), 10_000, Intent::HoldAndCancel), 10_000);
        // 0.9 + 0.1 is not quite 1 in binary, and 1 - 0.9 is not quite 0.1.
        assert_eq!(count(all(1.0, 1.0 - 0.9, 0.9), 10_000, Intent::HoldAndCancel), 0);
    }

    #[test]
    fn what_is_no_share_is_refused() {
        let holds = Holds::default();
        assert_eq!(holds.fault(), None);
        for wrong in [
            Holds { hold: 1.1, ..holds },
            Holds { hold: f64::NAN, ..holds },
            Holds { checkout: -0.1, ..holds },
            Holds { abandon: 2.0, checkout: 0.0, ..holds },
            Holds { abandon: 0.1, ..holds },
        ] {
            assert!(wrong.fault().is_some(), "{wrong:?}");
        }
    }
}
