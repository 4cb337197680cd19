//! What a plot shows, as a table: for those who want the numbers, and those who cannot see the drawing.

use std::collections::BTreeMap;
use std::fmt;

use super::{Plot, escape};

/// The table, folded away.
pub(crate) struct Table<'a>(pub(crate) &'a Plot);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plot { title, x, y, series, .. } = self.0;
        writeln!(f, "<details><summary>Data</summary><div class=\"wide\" tabindex=\"0\"><table>")?;
        writeln!(f, "<caption>{}, {}</caption>", escape(title), escape(&y.label))?;
        write!(f, "<thead><tr><th scope=\"col\">{}</th>", escape(&x.label))?;
        for one in series {
            write!(f, "<th scope=\"col\">{}{}</th>", escape(&one.name), y.unit.suffix())?;
        }
        writeln!(f, "</tr></thead><tbody>")?;
        for (place, values) in self.rows() {
            write!(f, "<tr><th scope=\"row\">{}</th>", x.unit.cell(place as f64 / 1_000.0))?;
            for value in values {
                let text = value.map_or_else(|| "–".to_owned(), |value| y.unit.cell(value));
                write!(f, "<td>{text}</td>")?;
            }
            writeln!(f, "</tr>")?;
        }
        writeln!(f, "</tbody></table></div></details>")
    }
}

impl Table<'_> {
    /// By the thousandths of x, so that nearly equal ones share a row: a value for each line.
    fn rows(&self) -> BTreeMap<i64, Vec<Option<f64>>> {
        let mut rows = BTreeMap::new();
        for (index, series) in self.0.series.iter().enumerate() {
            for (x, y) in &series.points {
                let row = rows
                    .entry((x * 1_000.0).round() as i64)
                    .or_insert_with(|| vec![None; self.0.series.len()]);
                row[index] = *y;
            }
        }
        rows
    }
}
