//! A summary as Markdown.

use std::fmt;

use super::Summary;
use super::binding::{Part, binding, share};
use super::rounds::{self, Rounds};
use super::scaling::scaling;
use super::spread::Spread;
use crate::plot::{grouped, three_digits};

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Medians of the rounds, with the least and the most of them.")?;
        if !self.stampedes.is_empty() {
            self.write_targets(f)?;
        }
        if !self.rounds.is_empty() {
            self.write_rates(f)?;
            self.write_costs(f)?;
            self.write_memory(f)?;
        }
        if !self.knees.is_empty() {
            self.write_knees(f)?;
        }
        if !self.overloads.is_empty() {
            super::overload::write(f, &self.overloads)?;
        }
        if !self.limits.is_empty() {
            self.write_limits(f)?;
        }
        self.write_scaling(f)?;
        if !self.growth.is_empty() {
            self.write_growth(f)?;
        }
        Ok(())
    }
}

impl Summary {
    fn write_rates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = [
            "scenario",
            "rounds",
            "answered/s",
            "settled/s",
            "answer p50 ms",
            "answer p99 ms",
            "outcome p50 ms",
            "outcome p99 ms",
            "refused %",
            "lost",
            "of its limit",
        ];
        write_head(f, &heads)?;
        for rounds in &self.rounds {
            let lost =
                rounds.runs.iter().filter_map(|run| run.measurement.lost).reduce(|a, b| a + b);
            let refused = rounds.spread(|found| {
                let refused: u64 = found.refused.values().sum();
                (found.due > 0).then(|| 100.0 * refused as f64 / found.due as f64)
            });
            let cells = [
                rounds.title(),
                rounds.runs.len().to_string(),
                written(rounds.spread(|found| Some(found.answered_per_s))),
                written(rounds.spread(|found| found.settled_per_s)),
                written(rounds.spread(|found| Some(found.acknowledged?.p50))),
                written(rounds.spread(|found| Some(found.acknowledged?.p99))),
                written(rounds.spread(|found| Some(found.outcome?.p50))),
                written(rounds.spread(|found| Some(found.outcome?.p99))),
                refused.map_or_else(none, |spread| grouped(spread.median, 1)),
                lost.map_or_else(none, |lost| grouped(lost as f64, 0)),
                self.of_limit(rounds),
            ];
            write_row(f, &cells)?;
        }
        Ok(())
    }

    /// The part of the limit that binds it, and which one that is.
    fn of_limit(&self, rounds: &Rounds) -> String {
        let scenario = rounds.runs.first().map_or("", |run| &run.measurement.scenario);
        let Some(limit) = binding(scenario, &self.limits) else { return none() };
        let share = rounds.spread(|found| Some(share(found, limit)));
        share.map_or_else(none, |share| format!("{} of {}", grouped(share.median, 2), limit.what))
    }

    fn write_costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nProcessor seconds for 1,000 settled purchases (answered requests, where a scenario is \
             about these), by process, and what each takes of the write-ahead log:"
        )?;
        let processes = self.processes();
        let mut heads = vec!["scenario"];
        heads.extend(&processes);
        heads.extend(["WAL bytes", "WAL syncs"]);
        write_head(f, &heads)?;
        for rounds in &self.rounds {
            let mut cells = vec![rounds.title()];
            cells.extend(processes.iter().map(|process| {
                written(rounds.spread(|found| rounds::cpu_s_per_1000(found, process)))
            }));
            cells.push(written(rounds.spread(rounds::wal_bytes)));
            cells
                .push(rounds.spread(rounds::wal_syncs).map_or_else(none, |s| grouped(s.median, 4)));
            write_row(f, &cells)?;
        }
        Ok(())
    }

    fn write_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nThe largest resident size, in MB:")?;
        let processes = self.processes();
        let mut heads = vec!["scenario"];
        heads.extend(&processes);
        write_head(f, &heads)?;
        for rounds in &self.rounds {
            let mut cells = vec![rounds.title()];
            cells.extend(processes.iter().map(|process| {
                let spread = rounds.spread(|found| rounds::rss_mb_max(found, process));
                spread.map_or_else(none, |spread| grouped(spread.max, 0))
            }));
            write_row(f, &cells)?;
        }
        Ok(())
    }

    fn write_knees(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nThe highest rates that were sustained, and how it feels at 80 % of them:")?;
        let heads =
            ["scenario", "closed loop/s", "knee/s", "answer p99 ms", "outcome p99 ms", "rounds"];
        write_head(f, &heads)?;
        for knees in &self.knees {
            let promised = || knees.found.iter().filter_map(|knee| knee.promised.as_ref());
            let p99 = |of: fn(&crate::measure::Measurement) -> Option<f64>| {
                Spread::of(promised().filter_map(|promised| of(&promised.measurement)))
            };
            let cells = [
                knees.name.clone(),
                written(Spread::of(knees.found.iter().map(|knee| knee.capacity_per_s))),
                written(Spread::of(knees.found.iter().filter_map(|knee| knee.knee_per_s))),
                written(p99(|found| Some(found.acknowledged?.p99))),
                written(p99(|found| Some(found.outcome?.p99))),
                knees.found.len().to_string(),
            ];
            write_row(f, &cells)?;
        }
        Ok(())
    }

    fn write_limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nWhat each part can do alone, at its best size of batch:")?;
        write_head(f, &["part", "per second"])?;
        for part in Part::ALL {
            let spread = Spread::of(self.limits.iter().filter_map(|limits| part.per_s(limits)));
            write_row(f, &[part.word().to_owned(), written(spread)])?;
        }
        Ok(())
    }

    fn write_scaling(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = scaling(&self.rounds);
        if !found.is_empty() {
            writeln!(f, "\nBy the universal scalability law:\n")?;
        }
        found.iter().try_for_each(|scaling| writeln!(f, "- {scaling}"))
    }

    fn write_growth(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nMemory over time, in MB:")?;
        write_head(f, &["process", "seconds", "second quarter", "last quarter", "most", "growth"])?;
        for growth in &self.growth {
            let flat = if growth.is_flat() { "flat" } else { "GROWS" };
            let cells = [
                growth.name.clone(),
                grouped(growth.seconds, 0),
                three_digits(growth.early_mb),
                three_digits(growth.late_mb),
                three_digits(growth.most_mb),
                format!("{} %, {flat}", grouped(growth.percent(), 1)),
            ];
            write_row(f, &cells)?;
        }
        Ok(())
    }

    /// All that were watched, in the order in which they were met.
    fn processes(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.rounds.iter().flat_map(Rounds::processes) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// The first column is words, the others are figures.
pub(super) fn write_head(f: &mut fmt::Formatter<'_>, heads: &[&str]) -> fmt::Result {
    writeln!(f, "\n| {} |", heads.join(" | "))?;
    writeln!(f, "|---|{}", "---:|".repeat(heads.len() - 1))
}

pub(super) fn write_row(f: &mut fmt::Formatter<'_>, cells: &[String]) -> fmt::Result {
    writeln!(f, "| {} |", cells.join(" | "))
}

fn written(spread: Option<Spread>) -> String {
    spread.map_or_else(none, |spread| spread.to_string())
}

pub(super) fn none() -> String {
    "–".to_owned()
}
