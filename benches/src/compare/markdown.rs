//! The table for a document, and what follows from it.

use std::fmt::Write as _;

use super::choose::choices;
use super::comparison::Comparison;
use super::rows::{COLUMNS, rows};
use crate::plot::grouped;

/// A Markdown table of all runs, and a list of which way for what.
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = format!("| load | way | {} |\n|---|---|", COLUMNS.join(" | "));
    text.push_str(&"---:|".repeat(COLUMNS.len()));
    text.push('\n');
    for row in rows(comparison) {
        let _ = writeln!(text, "| {} | {} | {} |", row.load, row.way.word(), row.cells.join(" | "));
    }
    text.push('\n');
    for choice in choices(comparison) {
        let _ = writeln!(text, "- {}: **{}**. {}.", choice.matter, choice.word(), choice.because);
    }
    let machine = &comparison.machine;
    let processor = machine.processor.as_deref().unwrap_or("unknown processor");
    let _ = writeln!(
        text,
        "\n{} cores ({processor}), {}, {}: `{}`",
        machine.cores,
        memory(machine.memory_bytes),
        comparison.date,
        comparison.command
    );
    text
}

/// In GiB.
pub(super) fn memory(bytes: Option<u64>) -> String {
    let gibibytes = |bytes| grouped(bytes as f64 / f64::from(1 << 30), 1);
    bytes.map_or_else(|| "unknown memory".to_owned(), |bytes| format!("{} GiB", gibibytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::super::synthetic;
    use super::*;

    #[test]
    fn every_row_has_every_column() {
        let text = markdown(&synthetic::comparison());
        let table: Vec<_> = text.lines().take_while(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 2 + rows(&synthetic::comparison()).len());
        let bars: Vec<_> = table.iter().map(|line| line.matches('|').count()).collect();
        assert!(bars.iter().all(|count| *count == COLUMNS.len() + 3), "{bars:?}");
    }
}
