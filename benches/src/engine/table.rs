//! The measurement for people.

use std::fmt;

use indicatif::{HumanBytes, HumanCount};

use crate::figures::sum;
use crate::measure::{Arrivals, Measurement, Percentiles};
use crate::table::{count_row, listed, rate_row, row, seconds};

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}, {} s measured\n", self.scenario, self.arrivals, self.wall_s)?;
        self.write_counts(f)?;
        self.write_speed(f)?;
        self.write_use(f)?;
        if self.problems.is_empty() {
            return write!(f, "\nOK");
        }
        write!(f, "\nFAILED")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { connections } => write!(f, "closed loop, {connections} connections"),
            Self::Open { rates, connections } => {
                write!(f, "open loop, ")?;
                for (number, (from_s, rate)) in rates.iter().enumerate() {
                    match number {
                        0 => write!(f, "{rate:.0}/s")?,
                        _ => write!(f, ", from {from_s} s {rate:.0}/s")?,
                    }
                }
                write!(f, ", {connections} connections")
            }
        }
    }
}

impl Measurement {
    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_loop = matches!(self.arrivals, Arrivals::Open { .. });
        count_row(f, if of_loop { "due" } else { "asked" }, self.due, "")?;
        count_row(f, "answered", self.answered, "")?;
        count_row(f, "refused", sum(&self.refused), &listed(&self.refused))?;
        count_row(f, "failed", sum(&self.failed), &listed(&self.failed))?;
        if of_loop {
            count_row(f, "dropped", self.dropped, "")?;
        }
        if let Some(lost) = self.lost {
            count_row(f, "lost", lost, "")?;
            count_row(f, "looked up afterwards", sum(&self.ended), &listed(&self.ended))?;
        }
        Ok(())
    }

    fn write_speed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        rate_row(f, "answered", self.answered_per_s)?;
        if let Some(settled_per_s) = self.settled_per_s {
            rate_row(f, "settled", settled_per_s)?;
        }
        if let Some(drained_s) = self.drained_s {
            row(f, "last outcome after", &seconds(drained_s * 1e3))?;
        }
        let head = ["mean", "p50", "p90", "p99", "p99.9", "max"];
        write!(f, "\n{:<24}", "latency in ms")?;
        head.iter().try_for_each(|name| write!(f, "{name:>10}"))?;
        writeln!(f)?;
        write_latency(f, "answer", self.acknowledged.as_ref())?;
        write_latency(f, "refusal", self.turned_away.as_ref())?;
        write_latency(f, "outcome (sample)", self.outcome.as_ref())
    }

    fn write_use(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<24}{:>10}{:>12}{:>12}", "use", "CPU s", "cores", "memory")?;
        for used in &self.processes {
            let cores = used.cpu_s / self.wall_s;
            let memory = HumanBytes(used.rss_bytes_max).to_string();
            writeln!(f, "{:<24}{:>10.2}{cores:>12.2}{memory:>12}", used.name, used.cpu_s)?;
        }
        if let Some(wal) = self.wal {
            let (bytes, syncs) = (HumanBytes(wal.bytes), HumanCount(wal.syncs));
            writeln!(f, "write-ahead log: {bytes}, synced {syncs} times")?;
        }
        Ok(())
    }
}

fn write_latency(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    latency: Option<&Percentiles>,
) -> fmt::Result {
    let Some(Percentiles { mean, p50, p90, p99, p999, max, .. }) = latency else { return Ok(()) };
    write!(f, "{name:<24}")?;
    [mean, p50, p90, p99, p999, max].iter().try_for_each(|ms| write!(f, "{ms:>10.2}"))?;
    writeln!(f)
}
