//! What is asked of the shop: each scenario states its requests and the answer that counts.

use std::fmt;

/// 2⁶⁴ divided by the golden ratio: its multiples spread evenly (Knuth, TAOCP vol. 3, 6.4), so that
/// each share is met at any moment of a run.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scenario {
    /// Asynchronous purchases; the 202 is all that counts, nothing is followed.
    Accept,
    /// Asynchronous purchases to their final outcome.
    Settle,
    /// Synchronous purchases: the outcome is the answer.
    Sync,
    /// Purchases of a product that is gone: the refusal at the edge is what is asked for.
    SoldOut,
    /// Nobody buys: availability of a product, and purchases looked up.
    Reads {
        /// The share of look-ups, 0 to 1.
        polls: f64,
    },
    /// Mostly reads, half of each kind, and some asynchronous purchases to their outcome.
    Mixed {
        /// The share of purchases, 0 to 1.
        purchases: f64,
    },
    /// Holds that are granted in the answer.
    Holds,
    /// Holds by 202 (`Prefer: respond-async`), to their final outcome.
    HoldsAsync,
}

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    BuyAsync,
    BuySync,
    Hold,
    HoldAsync,
    Availability,
    Poll,
}

/// The answer that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// 202 with a tracking ID.
    Accepted,
    /// 200 or 201.
    Done,
    /// 409 `OUT_OF_STOCK`.
    OutOfStock,
}

impl Scenario {
    /// The name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Settle => "settle",
            Self::Sync => "sync",
            Self::SoldOut => "sold-out",
            Self::Reads { .. } => "reads",
            Self::Mixed { .. } => "mixed",
            Self::Holds => "holds",
            Self::HoldsAsync => "holds-async",
        }
    }

    /// What arrival `number` asks.
    pub(crate) fn ask(self, number: u64) -> Ask {
        match self {
            Self::Accept | Self::Settle | Self::SoldOut => Ask::BuyAsync,
            Self::Sync => Ask::BuySync,
            Self::Holds => Ask::Hold,
            Self::HoldsAsync => Ask::HoldAsync,
            Self::Reads { polls } => read(is_in_share(number, polls)),
            Self::Mixed { purchases } if is_in_share(number, purchases) => Ask::BuyAsync,
            Self::Mixed { .. } => read(number.is_multiple_of(2)),
        }
    }

    /// Which answer counts for that.
    pub(crate) fn expected(self, ask: Ask) -> Expected {
        match ask {
            Ask::BuyAsync if self == Self::SoldOut => Expected::OutOfStock,
            Ask::BuyAsync | Ask::HoldAsync => Expected::Accepted,
            Ask::BuySync | Ask::Hold | Ask::Availability | Ask::Poll => Expected::Done,
        }
    }

    /// Whether units are taken, so that the product's stock shows how much is settled.
    pub(crate) fn takes_units(self) -> bool {
        !matches!(self, Self::SoldOut | Self::Reads { .. })
    }

    /// Whether there are 202s to follow to their end.
    pub(crate) fn is_followed(self) -> bool {
        matches!(self, Self::Settle | Self::Mixed { .. } | Self::HoldsAsync)
    }

    /// Whether there are 202s at all.
    pub(crate) fn is_async(self) -> bool {
        self.is_followed() || self == Self::Accept
    }

    /// Whether purchases from before are looked up.
    pub(crate) fn polls(self) -> bool {
        matches!(self, Self::Reads { .. } | Self::Mixed { .. })
    }

    /// Says what is wrong with it, if anything is.
    pub(crate) fn fault(self) -> Option<&'static str> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        match self {
            Self::Reads { polls } if !is_share(polls) => Some("--polls must be 0 to 1"),
            Self::Mixed { purchases } if !is_share(purchases) => Some("--purchases must be 0 to 1"),
            _ => None,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn read(is_poll: bool) -> Ask {
    if is_poll { Ask::Poll } else { Ask::Availability }
}

fn is_in_share(number: u64, share: f64) -> bool {
    let place = (number.wrapping_add(1).wrapping_mul(GOLDEN) >> 11) as f64;
    place < share * (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_met() {
        let count = |scenario: Scenario, ask| {
            (0..1_000).filter(|number| scenario.ask(*number) == ask).count()
        };
        assert!((495..=505).contains(&count(Scenario::Reads { polls: 0.5 }, Ask::Poll)));
        assert_eq!(count(Scenario::Reads { polls: 0.0 }, Ask::Poll), 0);
        assert_eq!(count(Scenario::Reads { polls: 1.0 }, Ask::Poll), 1_000);
        let mixed = Scenario::Mixed { purchases: 0.1 };
        assert!((95..=105).contains(&count(mixed, Ask::BuyAsync)));
        assert!((400..=500).contains(&count(mixed, Ask::Availability)));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        assert!(Scenario::Reads { polls: 1.5 }.fault().is_some());
        assert!(Scenario::Mixed { purchases: f64::NAN }.fault().is_some());
        assert!(Scenario::Settle.fault().is_none());
    }
}
