//! The findings for people: a line as each is found, and all of them in one table.

use std::fmt;

use indicatif::HumanCount;

use super::echo::cpu_us;
use super::{Claim, Confirm, Insert, Limits};
use crate::measure::Measurement;

fn rate(per_s: f64) -> String {
    format!("{}/s", HumanCount(per_s as u64))
}

/// A bare server's line.
pub(super) struct Echo<'a>(pub(super) &'a Measurement);

impl fmt::Display for Echo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [server_us, client_us] = cpu_us(self.0);
        let pays = format!("CPU per request: server {server_us:.1} µs, client {client_us:.1} µs");
        let what = format!("as in {}, {:.1} s", self.0.scenario, self.0.wall_s);
        row(f, "HTTP echo", &what, self.0.answered_per_s, &pays)
    }
}

impl fmt::Display for Confirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.consumed { "RabbitMQ confirm, consume" } else { "RabbitMQ confirm" };
        let messages =
            format!("{} messages of {} bytes", rate(self.messages_per_s), self.message_bytes);
        row(f, name, &format!("{} in a message", self.batch), self.purchases_per_s, &messages)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = format!("{} calls", rate(self.calls_per_s));
        row(f, "Redis claim", &format!("{} in a call", self.batch), self.purchases_per_s, &calls)
    }
}

impl fmt::Display for Insert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.keyed { "PostgreSQL insert, keyed" } else { "PostgreSQL insert" };
        let s = if self.connections == 1 { "" } else { "s" };
        let what = format!("{} in a commit, {} connection{s}", self.batch, self.connections);
        let syncs = self.wal_syncs_per_row.map(|syncs| format!(", {syncs:.5} syncs"));
        let syncs = syncs.unwrap_or_default();
        let wal = format!("per row: {:.0} bytes of log{syncs}", self.wal_bytes_per_row);
        row(f, name, &what, self.rows_per_s, &wal)
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, what: &str, per_s: f64, note: &str) -> fmt::Result {
    write!(f, "{name:<26}{what:<30}{:>13}   {note}", rate(per_s))
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} processors, {} s for each figure that says nothing else",
            self.cores, self.measured_s
        )?;
        rows(f, self.echo.iter().map(Echo))?;
        rows(f, self.confirm.iter())?;
        rows(f, self.claim.iter())?;
        rows(f, self.insert.iter())
    }
}

fn rows(
    f: &mut fmt::Formatter<'_>,
    mut found: impl Iterator<Item = impl fmt::Display>,
) -> fmt::Result {
    writeln!(f)?;
    found.try_for_each(|row| writeln!(f, "{row}"))
}
