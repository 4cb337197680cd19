//! The rows of reports for people.

use std::fmt;

use indicatif::HumanCount;

use crate::figures::Counts;

pub(crate) fn count_row(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    count: u64,
    note: &str,
) -> fmt::Result {
    let line = format!("{name:<24}{:>12}   {note}", HumanCount(count).to_string());
    writeln!(f, "{}", line.trim_end())
}

pub(crate) fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "{name:<25}{value:>11}")
}

pub(crate) fn rate_row(f: &mut fmt::Formatter<'_>, name: &str, per_s: f64) -> fmt::Result {
    row(f, name, &format!("{}/s", HumanCount(per_s as u64)))
}

pub(crate) fn listed(counts: &Counts) -> String {
    let each: Vec<_> =
        counts.iter().map(|(word, count)| format!("{word} {}", HumanCount(*count))).collect();
    each.join(", ")
}

pub(crate) fn units(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}", HumanCount(units.unsigned_abs()))
}

pub(crate) fn seconds(time_ms: f64) -> String {
    format!("{:.3} s", time_ms / 1e3)
}
