//! Which limit a scenario can reach at best.
//!
//! A purchase passes several parts one after the other, so none can be faster than the slowest of them
//! alone. What the parts share (the processors, above all) makes it less.

use super::rounds::yield_per_s;
use super::spread::Spread;
use crate::limits::Limits;
use crate::measure::Measurement;

/// A part of the pipeline on its own, at its best size of batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limit {
    pub(crate) what: &'static str,
    pub(crate) per_s: f64,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Accept,
    Refuse,
    Read,
    Confirm,
    Deliver,
    Claim,
    Insert,
}

impl Part {
    pub(crate) const ALL: [Self; 7] = [
        Self::Accept,
        Self::Refuse,
        Self::Read,
        Self::Confirm,
        Self::Deliver,
        Self::Claim,
        Self::Insert,
    ];

    /// As people say it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Accept => "HTTP, POST and 202",
            Self::Refuse => "HTTP, POST and 409",
            Self::Read => "HTTP, GET",
            Self::Confirm => "RabbitMQ, confirmed",
            Self::Deliver => "RabbitMQ, confirmed and delivered",
            Self::Claim => "Redis, claimed",
            Self::Insert => "PostgreSQL, inserted",
        }
    }

    /// The most that it did; rows are those with a key, as purchases have one.
    pub(crate) fn per_s(self, limits: &Limits) -> Option<f64> {
        let echo = |scenario| {
            let echoes = limits.echo.iter().filter(move |echo| echo.scenario == scenario);
            most(echoes.map(|echo| echo.answered_per_s))
        };
        let confirm = |consumed| {
            let confirms = limits.confirm.iter().filter(move |one| one.consumed == consumed);
            most(confirms.map(|one| one.purchases_per_s))
        };
        match self {
            Self::Accept => echo("accept"),
            Self::Refuse => echo("sold-out"),
            Self::Read => echo("reads"),
            Self::Confirm => confirm(false),
            Self::Deliver => confirm(true),
            Self::Claim => most(limits.claim.iter().map(|claim| claim.purchases_per_s)),
            Self::Insert => {
                let keyed = limits.insert.iter().filter(|insert| insert.keyed);
                most(keyed.map(|insert| insert.rows_per_s))
            }
        }
    }
}

/// What an asynchronous purchase passes on its way to the end.
const SETTLING: &[Part] = &[Part::Accept, Part::Deliver, Part::Claim, Part::Insert];
/// The share of purchases in `mixed`.
const PURCHASES: f64 = 0.1;

/// The parts that every purchase or request of a scenario passes; none for one that is not known.
fn parts(scenario: &str) -> &'static [Part] {
    match scenario {
        "accept" => &[Part::Accept, Part::Confirm],
        "settle" | "settle-no-keys" | "settle-polling" | "holds-async" => SETTLING,
        "sync" | "holds" => &[Part::Accept, Part::Claim, Part::Insert],
        "sold-out" | "sold-out-keyed" => &[Part::Refuse],
        "reads" | "availability" | "polls" => &[Part::Read],
        _ => &[],
    }
}

/// What can be reached at best, by the median of all rounds.
pub(crate) fn binding(scenario: &str, limits: &[Limits]) -> Option<Limit> {
    if scenario != "mixed" {
        return slowest(parts(scenario), limits);
    }
    // Each request takes its time of the same processors: times add up, rates do not.
    let (read, buy) = (slowest(&[Part::Read], limits)?, slowest(SETTLING, limits)?);
    let per_s = 1.0 / ((1.0 - PURCHASES) / read.per_s + PURCHASES / buy.per_s);
    Some(Limit { what: "nine HTTP, GET to one purchase", per_s })
}

/// The slowest of these parts.
fn slowest(parts: &[Part], limits: &[Limits]) -> Option<Limit> {
    let found = parts.iter().filter_map(|part| {
        let spread = Spread::of(limits.iter().filter_map(|limits| part.per_s(limits)))?;
        Some(Limit { what: part.word(), per_s: spread.median })
    });
    found.min_by(|one, other| one.per_s.total_cmp(&other.per_s))
}

/// What a run reached of its limit.
pub(crate) fn share(found: &Measurement, limit: Limit) -> f64 {
    yield_per_s(found) / limit.per_s
}

fn most(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(f64::max)
}
