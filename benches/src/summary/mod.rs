//! Rounds of measurements in one table: medians, what they are of the limits that bind them, and what
//! they cost.
//!
//! ```text
//!  files    a folder of rounds            spread   median, least and most
//!  rounds   one scenario in all rounds    binding  which limit it can reach at best
//!  tables   as Markdown                   growth   whether memory grows
//!  scaling  what more processes bring     overload what became of who was too much
//!  targets  what two processors should do
//! ```
//!
//! A folder holds `NAME.ROUND.json` for each scenario and round, as `doorbuster load run --json` writes
//! them; `limits.ROUND.json`, `stampede.ROUND.json`, `knee-NAME.ROUND.json` and `overload-NAME.ROUND.json` of the
//! other commands; `NAME@N.ROUND.json` where
//! something was measured with N processes; and `NAME.rss`, the memory of processes over time.

mod binding;
mod files;
mod growth;
mod overload;
mod rounds;
mod scaling;
mod spread;
mod tables;
mod targets;

use std::path::Path;

pub use files::SummaryError;

/// A folder of rounds.
#[derive(Debug, Default)]
pub struct Summary {
    rounds: Vec<rounds::Rounds>,
    limits: Vec<crate::limits::Limits>,
    knees: Vec<rounds::Knees>,
    overloads: Vec<(String, crate::overload::Overload)>,
    stampedes: Vec<targets::Stampede>,
    growth: Vec<growth::Growth>,
}

impl Summary {
    /// Reads all that is in `folder`.
    pub fn read(folder: &Path) -> Result<Self, SummaryError> {
        files::read(folder)
    }

    /// Accepted purchases of all runs that never came to an outcome.
    pub fn lost(&self) -> u64 {
        let runs = self.rounds.iter().flat_map(|rounds| &rounds.runs).map(|run| &run.measurement);
        let overloads = self.overloads.iter().map(|(_, overload)| &overload.measurement);
        let lost: u64 = runs.chain(overloads).filter_map(|measurement| measurement.lost).sum();
        lost + self.stampedes.iter().map(|stampede| stampede.lost).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;
    use crate::compare::synthetic;
    use crate::measure::{Measurement, WalUse};

    /// A folder that is gone after the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("summary-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn with(self, file: &str, value: &impl serde::Serialize) -> Self {
            fs::write(self.0.join(file), serde_json::to_string(value).unwrap()).unwrap();
            self
        }

        fn summed_up(&self) -> String {
            Summary::read(&self.0).unwrap().to_string()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn settling(per_s: f64) -> Measurement {
        let found = synthetic::comparison().loads[0].runs[1].measurement.clone();
        let wal = Some(WalUse { bytes: (per_s * found.wall_s * 400.0) as u64, syncs: 100 });
        let scenario = "settle".into();
        Measurement { scenario, settled_per_s: Some(per_s), answered_per_s: per_s, wal, ..found }
    }

    fn answering(scenario: &str, per_s: f64) -> Measurement {
        Measurement { scenario: scenario.into(), answered_per_s: per_s, ..settling(per_s / 10.0) }
    }

    fn limits() -> serde_json::Value {
        json!({
            "measuredS": 3.0, "cores": 2,
            "echo": [answering("accept", 90_000.0), answering("reads", 90_000.0)],
            "confirm": [{ "batch": 256, "consumed": true, "inFlight": 4, "messageBytes": 9,
                          "messagesPerS": 200.0, "purchasesPerS": 60_000.0 }],
            "claim": [{ "batch": 256, "inFlight": 4, "callsPerS": 1.0, "purchasesPerS": 3e5 }],
            "insert": [
                { "batch": 1, "connections": 1, "keyed": true, "rowsPerS": 900.0,
                  "walBytesPerRow": 400.0, "walSyncsPerRow": 1.0 },
                { "batch": 1024, "connections": 2, "keyed": true, "rowsPerS": 40_000.0,
                  "walBytesPerRow": 400.0, "walSyncsPerRow": null },
                { "batch": 1024, "connections": 2, "keyed": false, "rowsPerS": 50_000.0,
                  "walBytesPerRow": 300.0, "walSyncsPerRow": null }],
        })
    }

    #[test]
    fn rounds_become_medians_and_shares_of_what_binds_them() {
        let text = Folder::new("rounds")
            .with("settle.1.json", &settling(20_000.0))
            .with("settle.2.json", &settling(24_000.0))
            .with("settle.3.json", &settling(18_000.0))
            .with("limits.1.json", &limits())
            .summed_up();

        let row = text.lines().find(|line| line.starts_with("| settle")).unwrap();
        assert!(
            row.starts_with("| settle | 3 | 20,000 (18,000–24,000) | 20,000 (18,000–"),
            "{row}"
        );
        assert!(row.ends_with("| 0 | 0.50 of PostgreSQL, inserted |"), "{row}");
        assert!(text.contains("| HTTP, POST and 202 | 90,000 |"), "{text}");
        let costs: Vec<_> = text.lines().filter(|line| line.starts_with("| settle")).collect();
        assert!(costs[1].contains("| 400 (400–400) |"), "{}", costs[1]);
    }

    #[test]
    fn a_mixed_load_is_about_answers() {
        let text = Folder::new("mixed")
            .with("mixed.1.json", &answering("mixed", 40_000.0))
            .with("limits.1.json", &limits())
            .summed_up();
        // Nine reads take 100 µs at 90,000 per second, and a purchase 25 µs at 40,000.
        let row = text.lines().find(|line| line.starts_with("| mixed")).unwrap();
        assert!(row.ends_with("| 0.50 of nine HTTP, GET to one purchase |"), "{row}");
    }

    #[test]
    fn targets_are_met_or_not() {
        let minute = |per_s| Measurement { wall_s: 60.0, ..settling(per_s) };
        let stampede = json!({ "lost": 0, "sell_out_ms": 180.0, "sending_ms": 5_400.0 });
        let text = Folder::new("targets")
            .with("settle.1.json", &settling(99_000.0))
            .with("settle-no-keys.1.json", &minute(28_000.0))
            .with("sync.1.json", &settling(14_999.0))
            .with("stampede.1.json", &stampede)
            .summed_up();
        let row = |what: &str| text.lines().find(|line| line.contains(what)).unwrap();
        assert!(row("for a minute").ends_with("| ≥ 27,000 | 28,000 | yes |"), "{text}");
        // What was no minute long does not count.
        assert!(row("with idempotency keys").ends_with("| – | – |"), "{text}");
        assert!(row("sold synchronously").ends_with("| 14,999 | no |"), "{text}");
        assert!(row("units are gone").ends_with("| 0.180 | yes |"), "{text}");
        assert!(row("all of them are answered").ends_with("| 5.40 | no |"), "{text}");
    }

    #[test]
    fn more_processes_follow_a_law() {
        let folder = [(1, 10_000.0), (2, 18_000.0), (4, 28_000.0)].into_iter().fold(
            Folder::new("scaling"),
            |folder, (workers, per_s)| {
                folder.with(&format!("settle-workers@{workers}.1.json"), &settling(per_s))
            },
        );
        let text = folder.summed_up();
        assert!(text.contains("| settle-workers 4 | 1 | 28,000 |"), "{text}");
        assert!(text.contains("- settle-workers: "), "{text}");
    }

    #[test]
    fn an_overload_is_shown_with_refusals_apart() {
        let measurement = Measurement { lost: Some(2), ..settling(9_000.0) };
        let overload = json!({ "perS": 27_000.0, "lastedS": 60.0, "probePerS": 900.0, "p99MaxMs": 50.0,
                               "recoveredS": 0.3, "measurement": measurement, "problems": [] });
        let folder = Folder::new("overload").with("overload-settle.1.json", &overload);
        assert_eq!(Summary::read(&folder.0).unwrap().lost(), 2);
        let text = folder.summed_up();
        assert!(text.contains("| settle 1 | 27,000 | 60 |"), "{text}");
        assert!(text.contains("| OVERLOADED "), "{text}");
        assert!(text.contains("| 2 | 0.3 |"), "{text}");
    }

    #[test]
    fn a_knee_is_shown_with_what_it_promises() {
        let knee = json!({ "kneePerS": 16_000.0, "capacityPerS": 20_000.0,
                           "promised": { "measurement": settling(12_800.0) }, "steps": [] });
        let text = Folder::new("knee").with("knee-settle.1.json", &knee).summed_up();
        assert!(text.contains("| settle | 20,000 | 16,000 |"), "{text}");
    }

    #[test]
    fn a_lost_purchase_of_any_round_counts() {
        let folder = Folder::new("lost")
            .with("settle.1.json", &settling(1.0))
            .with("settle.2.json", &Measurement { lost: Some(3), ..settling(1.0) });
        assert_eq!(Summary::read(&folder.0).unwrap().lost(), 3);
    }

    #[test]
    fn what_cannot_be_summed_up_is_named() {
        let folder = Folder::new("empty");
        let said = Summary::read(&folder.0).unwrap_err().to_string();
        assert!(said.contains("holds no NAME.ROUND.json"), "{said}");
        let folder = folder.with("settle.1.json", &json!({}));
        let said = Summary::read(&folder.0).unwrap_err().to_string();
        assert!(said.contains("settle.1.json is not what `doorbuster load run --json`"), "{said}");
    }
}
