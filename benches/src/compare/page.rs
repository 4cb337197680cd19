//! The page: one file that needs nothing else, readable without scripts and on a telephone.

use std::fmt;

use super::choose::choices;
use super::comparison::{Comparison, Event};
use super::markdown::memory;
use super::rows::{COLUMNS, rows};
use super::{events, plots};
use crate::plot::{Legend, Plot, Svg, Table, Unit, escape, grouped};

const STYLE: &str = include_str!("page.css");
const TITLE: &str = "Synchronous and asynchronous purchases, compared";

/// The whole page.
pub fn html(comparison: &Comparison) -> String {
    Page(comparison).to_string()
}

struct Page<'a>(&'a Comparison);

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>")?;
        writeln!(f, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>")?;
        writeln!(f, "<meta name=\"color-scheme\" content=\"light dark\"/>")?;
        writeln!(f, "<title>{TITLE}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>")?;
        self.write_head(f)?;
        self.write_choices(f)?;
        self.write_loads(f)?;
        if let Some(event) = &self.0.burst {
            write_event(f, "burst", "A crowd at once", &crowd(event), event)?;
        }
        if let Some(event) = &self.0.stall {
            write_event(f, "stall", "A database that stands still", &still(event), event)?;
        }
        self.write_table(f)?;
        self.write_method(f)?;
        writeln!(f, "</main>\n</body>\n</html>")
    }
}

impl Page<'_> {
    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacities: Vec<_> = self.0.capacities.iter().collect();
        writeln!(f, "<header><h1>{TITLE}</h1>")?;
        writeln!(
            f,
            "<p>The same shop, the same rules and the same ledger: once with the outcome in the \
             response, once with a promise (202) and a queue. Both were offered the same loads.</p>"
        )?;
        writeln!(f, "<ul class=\"capacities\">")?;
        for capacity in capacities {
            let found = if capacity.given { "given" } else { "found" };
            writeln!(
                f,
                "<li class=\"{}\"><strong>{}</strong> purchases per second, {} capacity ({found})</li>",
                plots::look(capacity.way, false).class,
                Unit::PerSecond.cell(capacity.per_s),
                capacity.way.word()
            )?;
        }
        writeln!(f, "</ul></header>")
    }

    fn write_choices(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "<section><h2>When to choose which</h2>\n<dl class=\"choices\">")?;
        for choice in choices(self.0) {
            let class = choice.better.map_or("offered", |way| plots::look(way, false).class);
            writeln!(
                f,
                "<div><dt>{}</dt><dd><strong class=\"{class}\">{}</strong>{}.</dd></div>",
                escape(choice.matter),
                choice.word(),
                escape(&choice.because)
            )?;
        }
        writeln!(f, "</dl></section>")
    }

    fn write_loads(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "<section><h2>The same loads</h2>")?;
        writeln!(
            f,
            "<p>Each load was offered for {} s, whether or not earlier requests had been answered.</p>",
            grouped(self.0.seconds, usize::from(self.0.seconds.fract() != 0.0))
        )?;
        write_figures(f, &plots::over_load(self.0))?;
        writeln!(f, "</section>")
    }

    fn write_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "<section><h2>All figures</h2>\n<div class=\"wide\" tabindex=\"0\"><table>")?;
        write!(
            f,
            "<thead><tr><th scope=\"col\">load</th><th scope=\"col\" class=\"word\">way</th>"
        )?;
        COLUMNS.iter().try_for_each(|column| write!(f, "<th scope=\"col\">{column}</th>"))?;
        writeln!(f, "</tr></thead>\n<tbody>")?;
        for row in rows(self.0) {
            let class = plots::look(row.way, false).class;
            write!(f, "<tr><th scope=\"row\">{}</th>", escape(&row.load))?;
            write!(f, "<td class=\"word {class}\">{}</td>", row.way.word())?;
            row.cells.iter().try_for_each(|cell| write!(f, "<td>{cell}</td>"))?;
            writeln!(f, "</tr>")?;
        }
        writeln!(f, "</tbody></table></div></section>")
    }

    fn write_method(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.0.machine;
        writeln!(f, "<section><h2>How it was measured</h2>\n{METHOD}")?;
        for note in &self.0.notes {
            writeln!(f, "<p>{}</p>", escape(note))?;
        }
        writeln!(f, "<dl class=\"facts\">")?;
        let processor = machine.processor.as_deref().unwrap_or("unknown processor");
        let mut facts = vec![
            ("date", self.0.date.clone()),
            ("processors", format!("{} × {processor}", machine.cores)),
            ("memory", memory(machine.memory_bytes)),
        ];
        facts.extend(machine.kernel.clone().map(|kernel| ("kernel", kernel)));
        facts.extend(machine.software.iter().map(|(name, version)| (&**name, version.clone())));
        for (name, value) in facts {
            writeln!(f, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(&value))?;
        }
        let command = escape(&self.0.command);
        writeln!(f, "<div><dt>command</dt><dd><code>{command}</code></dd></div>\n</dl></section>")
    }
}

const METHOD: &str = "<p>Requests are due at scheduled moments, and time counts from the moment at which \
    a request was due, not from when a connection was free for it: a shop that is slow does not make its \
    own load lighter. The load generator's own processor time is left out of the cost. \
    <em>Settled</em> purchases are in the ledger. <em>Refused</em> ones were told so; those with <em>no \
    answer</em> failed or were never sent, because every connection was busy for too long. A difference \
    of less than a tenth counts as none.</p>";

fn crowd(event: &Event) -> String {
    format!(
        "{} purchases per second, and {} from second {} to second {}.",
        Unit::PerSecond.cell(event.base_per_s),
        Unit::PerSecond.cell(event.peak_per_s),
        grouped(event.from_s, 1),
        grouped(event.to_s, 1)
    )
}

fn still(event: &Event) -> String {
    format!(
        "{} purchases per second; from second {} to second {} somebody else held a lock on the whole \
         table of orders, so that no purchase could be written or read.",
        Unit::PerSecond.cell(event.base_per_s),
        grouped(event.from_s, 1),
        grouped(event.to_s, 1)
    )
}

fn write_event(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    heading: &str,
    text: &str,
    event: &Event,
) -> fmt::Result {
    writeln!(f, "<section><h2>{heading}</h2>\n<p>{}</p>", escape(text))?;
    write_figures(f, &events::over_time(name, event))?;
    writeln!(f, "</section>")
}

fn write_figures(f: &mut fmt::Formatter<'_>, plots: &[Plot]) -> fmt::Result {
    writeln!(f, "<div class=\"figures\">")?;
    for plot in plots {
        writeln!(
            f,
            "<figure>\n<h3>{}</h3>\n{}{}",
            escape(&plot.title),
            Legend(plot),
            Svg::new(plot)
        )?;
        writeln!(
            f,
            "<figcaption>{}</figcaption>\n{}</figure>",
            escape(&plot.caption),
            Table(plot)
        )?;
    }
    writeln!(f, "</div>")
}

#[cfg(test)]
mod tests;
