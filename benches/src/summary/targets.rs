//! What two processors should do, with everything on them, and what they did.

use std::fmt;

use serde::Deserialize;

use super::Summary;
use super::binding::{binding, share};
use super::rounds::{self, Rounds};
use super::spread::Spread;
use super::tables::{none, write_head, write_row};
use crate::measure::Measurement;
use crate::plot::three_digits;

/// What is read of `doorbuster load stampede --json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Stampede {
    pub(crate) lost: u64,
    sell_out_ms: Option<f64>,
    sending_ms: f64,
}

/// One of them.
struct Target {
    what: &'static str,
    wanted: Wanted,
    found: fn(&Summary) -> Option<Spread>,
}

/// How much it should be.
#[derive(Clone, Copy)]
enum Wanted {
    Least(f64),
    Most(f64),
}

use Wanted::{Least, Most};

const TARGETS: [Target; 11] = [
    Target {
        what: "settled per second, for a minute",
        wanted: Least(27_000.0),
        found: |all| all.minute("settle-no-keys", |found| found.settled_per_s),
    },
    Target {
        what: "the same with idempotency keys",
        wanted: Least(27_000.0),
        found: |all| all.minute("settle", |found| found.settled_per_s),
    },
    Target {
        what: "processor seconds for 1,000 of them, all programs",
        wanted: Most(0.06),
        found: |all| all.minute("settle-no-keys", cpu_s_per_1000),
    },
    Target {
        what: "resident size of the API meanwhile, MB",
        wanted: Most(150.0),
        found: |all| all.minute("settle-no-keys", |found| rounds::rss_mb_max(found, "api")),
    },
    Target {
        what: "resident size of the worker, MB",
        wanted: Most(150.0),
        found: |all| all.minute("settle-no-keys", |found| rounds::rss_mb_max(found, "worker")),
    },
    Target {
        what: "p99 of a 202 at 80 % of the knee, ms",
        wanted: Most(50.0),
        found: |all| all.of("accept-promised", |found| Some(found.acknowledged?.p99)),
    },
    Target {
        what: "sold synchronously per second",
        wanted: Least(15_000.0),
        found: |all| all.of("sync", |found| found.settled_per_s),
    },
    Target {
        what: "refusals when sold out, of bare axum",
        wanted: Least(0.85),
        found: |all| all.share("sold-out"),
    },
    Target {
        what: "reads of stock, of bare axum",
        wanted: Least(0.85),
        found: |all| all.share("availability"),
    },
    Target {
        what: "seconds until 1,000 units are gone, 100,000 buyers",
        wanted: Most(1.0),
        found: |all| {
            Spread::of(all.stampedes.iter().filter_map(|one| Some(one.sell_out_ms? / 1e3)))
        },
    },
    Target {
        what: "seconds until all of them are answered",
        wanted: Most(5.0),
        found: |all| Spread::of(all.stampedes.iter().map(|one| one.sending_ms / 1e3)),
    },
];

/// Shorter is no minute.
const MINUTE_S: f64 = 60.0;

impl Summary {
    pub(super) fn write_targets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nWhat two processors should do:")?;
        write_head(f, &["target", "wanted", "found", "met"])?;
        for Target { what, wanted, found } in &TARGETS {
            let found = found(self);
            let met = found.map(|found| if wanted.met(found.median) { "yes" } else { "no" });
            let cells = [
                (*what).to_owned(),
                wanted.to_string(),
                found.map_or_else(none, |found| found.to_string()),
                met.map_or_else(none, str::to_owned),
            ];
            write_row(f, &cells)?;
        }
        Ok(())
    }

    fn named(&self, name: &str) -> Option<&Rounds> {
        self.rounds.iter().find(|rounds| rounds.name == name && rounds.size.is_none())
    }

    fn of(&self, name: &str, figure: impl Fn(&Measurement) -> Option<f64>) -> Option<Spread> {
        self.named(name)?.spread(figure)
    }

    fn minute(&self, name: &str, figure: fn(&Measurement) -> Option<f64>) -> Option<Spread> {
        self.of(name, |found| figure(found).filter(|_| found.wall_s >= MINUTE_S))
    }

    fn share(&self, name: &str) -> Option<Spread> {
        let rounds = self.named(name)?;
        let limit = binding(&rounds.runs.first()?.measurement.scenario, &self.limits)?;
        rounds.spread(|found| Some(share(found, limit)))
    }
}

/// Of all that was watched but the generator.
fn cpu_s_per_1000(found: &Measurement) -> Option<f64> {
    let programs = found.processes.iter().filter(|process| process.name != "load");
    programs.map(|process| rounds::cpu_s_per_1000(found, &process.name)).sum()
}

impl Wanted {
    fn met(self, found: f64) -> bool {
        match self {
            Least(wanted) => found >= wanted,
            Most(wanted) => found <= wanted,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Least(wanted) => write!(f, "≥ {}", three_digits(*wanted)),
            Most(wanted) => write!(f, "≤ {}", three_digits(*wanted)),
        }
    }
}
