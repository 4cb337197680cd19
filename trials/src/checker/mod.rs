//! The checker: a client history beside what the servers hold, rule by rule.
//!
//! It computes everything anew, with code of its own, and trusts nothing that it checks.

mod evidence;
mod orders;
mod readers;
mod stock;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

pub use self::evidence::{Commit, Evidence};

/// What must always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Invariant {
    /// I1: total = available + reserved + sold, all ≥ 0, at every commit.
    Conservation,
    /// I2: no more units are taken than there are.
    NoOversell,
    /// I3: a recorded "sold out" was true, and the gate ends with what the ledger has.
    NoUndersell,
    /// I4: every tracking ID given out is decided, or parked.
    NoLostAcceptance,
    /// I5: at most one order for a key; one order per ID; nothing leaves a terminal state.
    Once,
    /// I6: every order comes from a request that was made.
    NoPhantom,
    /// I7: for a reader a version never decreases, and an issued ID is never unknown.
    NoGoingBack,
    /// I8: a hold resolves once.
    HoldResolvesOnce,
    /// I9: limits hold.
    Limits,
    /// I10: announced stock equals the ledger at that version, and the last value arrives.
    StockEvents,
    /// I11: "sold out" without a record was true within the staleness bound.
    EdgeWasRight,
    /// I12: a dead letter that can be decoded is a parked order, its bytes kept.
    DeadLetters,
    /// I13: orders and stock movements add up to the inventory.
    Replay,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Conservation,
        Self::NoOversell,
        Self::NoUndersell,
        Self::NoLostAcceptance,
        Self::Once,
        Self::NoPhantom,
        Self::NoGoingBack,
        Self::HoldResolvesOnce,
        Self::Limits,
        Self::StockEvents,
        Self::EdgeWasRight,
        Self::DeadLetters,
        Self::Replay,
    ];

    /// I1 to I13.
    pub const fn number(self) -> usize {
        self as usize + 1
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I{} {self:?}", self.number())
    }
}

/// One breach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Breach {
    /// Of what.
    pub invariant: Invariant,
    /// By whom: an order, a product, a buyer.
    pub subject: String,
    /// What contradicts what.
    pub contradiction: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.invariant, self.subject, self.contradiction)
    }
}

/// Breaches as they are found.
#[derive(Debug, Default)]
struct Findings(Vec<Breach>);

impl Findings {
    /// Notes a breach unless `holds`.
    fn expect(
        &mut self,
        holds: bool,
        invariant: Invariant,
        subject: impl fmt::Display,
        contradiction: impl FnOnce() -> String,
    ) {
        if !holds {
            let (subject, contradiction) = (subject.to_string(), contradiction());
            self.0.push(Breach { invariant, subject, contradiction });
        }
    }
}

/// Every breach in the evidence, in the order of the invariants. It must have been collected when
/// faults were over, nothing waited any more, and two seconds had passed since the last commit.
pub fn check(evidence: &Evidence) -> Vec<Breach> {
    let mut findings = Findings::default();
    stock::check(evidence, &mut findings);
    orders::check(evidence, &mut findings);
    readers::check(evidence, &mut findings);
    findings.0.sort();
    findings.0.dedup();
    findings.0
}
