//! The report for people.

use std::fmt;

use indicatif::HumanCount;

use crate::stampede::plan::Mode;
use crate::stampede::report::{LATENCIES, PERCENTILES, Report};
use crate::table::{count_row, listed, rate_row, row, seconds, units};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.mode == Mode::Async { "async" } else { "sync" };
        writeln!(
            f,
            "{mode} stampede {}: {} buyers, {} units of product {}, {} connections\n",
            self.run,
            HumanCount(self.buyers),
            units(self.stock),
            self.product_id,
            self.connections
        )?;
        self.write_counts(f)?;
        self.write_speed(f)?;
        self.write_ledger(f)?;
        self.write_verdict(f)
    }
}

impl Report {
    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let positive = |units: i64| units.max(0) as u64;
        if self.mode == Mode::Async {
            count_row(f, "accepted (202)", self.accepted, "")?;
        }
        count_row(f, "confirmed", self.confirmed, "")?;
        count_row(f, "refused", self.refused_total, &listed(&self.refused))?;
        count_row(f, "lost", self.lost, "")?;
        count_row(f, "oversold", positive(self.oversold), "")?;
        count_row(f, "undersold", positive(self.undersold), "")?;
        count_row(f, "retries", self.retries_connection + self.retries_busy, &self.retries())?;
        let seldom = [
            ("no definite answer", self.failed_total, listed(&self.failed)),
            ("answer unknown", self.unknown, "the connection broke, and there was no key".into()),
            ("parked", self.parked, String::new()),
            ("confirmed, not sold", positive(self.phantom), String::new()),
            ("sold, nobody told", positive(self.undelivered), String::new()),
            ("duplicate tracking IDs", self.duplicate_tracking_ids, String::new()),
            ("shown to a stranger", self.mixed_up, String::new()),
        ];
        for (name, count, note) in seldom.into_iter().filter(|(_, count, _)| *count > 0) {
            count_row(f, name, count, &note)?;
        }
        self.holds.as_ref().map_or(Ok(()), |holds| holds.write_counts(f))
    }

    fn retries(&self) -> String {
        let (broken, busy) = (HumanCount(self.retries_connection), HumanCount(self.retries_busy));
        if self.retries_connection + self.retries_busy == 0 {
            return String::new();
        }
        format!("{broken} after a broken connection, {busy} after 429 or 5xx")
    }

    fn write_speed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        rate_row(f, "answers", self.answers_per_s)?;
        if self.mode == Mode::Async {
            rate_row(f, "accepted", self.accepted_per_s)?;
        }
        rate_row(f, "outcomes", self.settled_per_s)?;
        if let Some(holds) = &self.holds {
            holds.write_speed(f)?;
        }
        match self.sell_out_ms {
            Some(seen_ms) => row(f, "sold out after", &seconds(seen_ms))?,
            None => row(f, "sold out after", "not sold out")?,
        }
        row(f, "last answer after", &seconds(self.sending_ms))?;
        row(f, "last outcome after", &seconds(self.elapsed_ms))?;

        write!(f, "\n{:<28}", "latency in ms")?;
        for (name, _) in PERCENTILES {
            write!(f, "{:>10}", name.replace('_', "."))?;
        }
        writeln!(f)?;
        for (prefix, what) in LATENCIES {
            let values = PERCENTILES
                .map(|(name, _)| self.latency_ms.get(&format!("{prefix}_{name}_ms")).copied());
            // In sync mode the answer is the outcome.
            if values[0].is_none() || (self.mode == Mode::Sync && prefix.ends_with("outcome")) {
                continue;
            }
            write!(f, "{what:<28}")?;
            for value in values.into_iter().flatten() {
                write!(f, "{value:>10.2}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn write_ledger(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = &self.ledger;
        let is = |good: bool, yes: &'static str, no: &'static str| if good { yes } else { no };
        writeln!(
            f,
            "\nledger: {} units = {} available + {} reserved + {} sold ({}); orders {}\n        gate {} ({}), \
             outbox {}, parked {}, dead letters {}",
            units(ledger.total),
            units(ledger.available),
            units(ledger.reserved),
            units(ledger.sold),
            is(ledger.conserved, "conserved", "NOT CONSERVED"),
            is(ledger.orders_match, "match", "DO NOT MATCH"),
            ledger.gate_free.map_or_else(|| "empty".to_owned(), units),
            is(ledger.gate_matches, "matches", "DOES NOT MATCH"),
            ledger.outbox,
            ledger.parked,
            ledger.dead_letters,
        )?;
        if let Some(strike) = &self.strike {
            let exit =
                strike.exit_code.map_or("no exit code".into(), |code| format!("exit {code}"));
            writeln!(
                f,
                "strike: at {} units sold or held, {:.0} ms after the first request ({exit}): {}",
                units(strike.sold_seen),
                strike.after_ms,
                strike.command
            )?;
        }
        Ok(())
    }

    fn write_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ok {
            return write!(f, "\nOK: nothing lost, nothing oversold, buyers and ledger agree");
        }
        write!(f, "\nFAILED")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}
