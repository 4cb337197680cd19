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
    pub(crate) part: Part,
    pub(crate) per_s: f64,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Post,
    Get,
    Confirm,
    Deliver,
    Claim,
    Insert,
}

impl Part {
    pub(crate) const ALL: [Self; 6] =
        [Self::Post, Self::Get, Self::Confirm, Self::Deliver, Self::Claim, Self::Insert];

    /// As people say it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Post => "HTTP (POST)",
            Self::Get => "HTTP (GET)",
            Self::Confirm => "RabbitMQ, confirmed",
            Self::Deliver => "RabbitMQ, confirmed and delivered",
            Self::Claim => "Redis, claimed",
            Self::Insert => "PostgreSQL, inserted",
        }
    }

    /// The most that it did; rows are those with a key, as purchases have one.
    pub(crate) fn per_s(self, limits: &Limits) -> Option<f64> {
        let echo = |method| {
            let echoes = limits.echo.iter().filter(move |echo| echo.method == method);
            most(echoes.map(|echo| echo.requests_per_s))
        };
        let confirm = |consumed| {
            let confirms = limits.confirm.iter().filter(move |one| one.consumed == consumed);
            most(confirms.map(|one| one.purchases_per_s))
        };
        match self {
            Self::Post => echo("POST"),
            Self::Get => echo("GET"),
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

/// The parts that every purchase or request of a scenario passes; none for one that is not known.
fn parts(scenario: &str) -> &'static [Part] {
    match scenario {
        "accept" => &[Part::Post, Part::Confirm],
        "settle" | "settle-no-keys" | "settle-polling" | "holds-async" => {
            &[Part::Post, Part::Deliver, Part::Claim, Part::Insert]
        }
        "sync" | "holds" => &[Part::Post, Part::Claim, Part::Insert],
        "sold-out" | "sold-out-keyed" => &[Part::Post],
        "reads" | "availability" | "polls" => &[Part::Get],
        _ => &[],
    }
}

/// The slowest part that the scenario passes, by the median of all rounds.
pub(crate) fn binding(scenario: &str, limits: &[Limits]) -> Option<Limit> {
    let found = parts(scenario).iter().filter_map(|part| {
        let spread = Spread::of(limits.iter().filter_map(|limits| part.per_s(limits)))?;
        Some(Limit { part: *part, per_s: spread.median })
    });
    found.min_by(|one, other| one.per_s.total_cmp(&other.per_s))
}

/// What a run reached of its limit; what is accepted is not yet settled, so there it is the answers.
pub(crate) fn share(found: &Measurement, limit: Limit) -> f64 {
    let per_s = if found.scenario == "accept" { found.answered_per_s } else { yield_per_s(found) };
    per_s / limit.per_s
}

fn most(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(f64::max)
}
