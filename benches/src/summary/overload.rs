//! Overloads as Markdown.

use std::fmt;

use super::tables::{none, write_head, write_row};
use crate::measure::{Measurement, Percentiles};
use crate::overload::Overload;
use crate::plot::grouped;
use crate::table::listed;

pub(super) fn write(f: &mut fmt::Formatter<'_>, found: &[(String, Overload)]) -> fmt::Result {
    writeln!(f, "\nFar more than the shop can take, then a few again:")?;
    let heads = [
        "scenario",
        "offered/s",
        "for s",
        "accepted",
        "accepted p50 / p99 ms",
        "refused",
        "refused p50 / p99 ms",
        "never sent",
        "failed",
        "lost",
        "recovered after s",
    ];
    write_head(f, &heads)?;
    for (name, overload) in found {
        let found = &overload.measurement;
        let cells = [
            name.clone(),
            grouped(overload.per_s, 0),
            grouped(overload.lasted_s, 0),
            grouped(found.answered as f64, 0),
            times(found.acknowledged.as_ref()),
            listed(&found.refused),
            times(found.turned_away.as_ref()),
            grouped(found.dropped as f64, 0),
            listed(&found.failed),
            found.lost.map_or_else(none, |lost| grouped(lost as f64, 0)),
            overload.recovered_s.map_or_else(|| "not".into(), |after_s| grouped(after_s, 1)),
        ];
        write_row(f, &cells)?;
    }
    writeln!(f, "\nResident size at the beginning, at the end and at most, in MB:")?;
    write_head(f, &["scenario", "process", "begin", "end", "most"])?;
    found.iter().try_for_each(|(name, overload)| write_sizes(f, name, &overload.measurement))
}

fn write_sizes(f: &mut fmt::Formatter<'_>, name: &str, found: &Measurement) -> fmt::Result {
    let mb = |bytes: u64| grouped(bytes as f64 / 1e6, 0);
    for used in &found.processes {
        let sizes = [used.rss_bytes_begin, used.rss_bytes_end, used.rss_bytes_max].map(mb);
        let [begin, end, most] = sizes;
        write_row(f, &[name.to_owned(), used.name.clone(), begin, end, most])?;
    }
    Ok(())
}

fn times(latency: Option<&Percentiles>) -> String {
    let both = |latency: &Percentiles| {
        format!("{} / {}", grouped(latency.p50, 1), grouped(latency.p99, 1))
    };
    latency.map_or_else(none, both)
}
