//! The page, read back.

use std::collections::HashSet;

use roxmltree::{Document, Node, ParsingOptions};

use super::*;
use crate::compare::comparison::Way;
use crate::compare::figures::Figures;
use crate::compare::synthetic;

/// The page is well-formed XML too, so that whatever reads it agrees on what it says.
fn with_page<T>(comparison: &Comparison, look: impl FnOnce(&Document<'_>) -> T) -> T {
    let page = html(comparison);
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    look(&Document::parse_with_options(&page, options).expect("well-formed"))
}

fn all<'a>(document: &'a Document<'_>, tag: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    document.descendants().filter(move |node| node.has_tag_name(tag))
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

#[test]
fn every_drawing_has_a_name_and_a_description_and_a_table() {
    with_page(&synthetic::comparison(), |page| {
        let ids: Vec<_> = page.descendants().filter_map(|node| node.attribute("id")).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
        let drawings: Vec<_> =
            all(page, "svg").filter(|svg| svg.attribute("role") == Some("img")).collect();
        assert_eq!(drawings.len(), 4 + 4 + 4);
        for svg in drawings {
            let labels = svg.attribute("aria-labelledby").expect("labelled").split(' ');
            labels.for_each(|label| assert!(ids.contains(&label), "{label}"));
            let figure = svg.parent().expect("in a figure");
            let table = figure.descendants().find(|node| node.has_tag_name("table"));
            assert!(table.expect("a table").descendants().any(|node| node.has_tag_name("td")));
        }
    });
}

#[test]
fn nothing_is_drawn_outside_of_its_drawing() {
    with_page(&synthetic::comparison(), |page| {
        for path in all(page, "path")
            .filter(|path| path.attribute("class").is_some_and(|class| class.starts_with("line")))
        {
            let numbers = path.attribute("d").unwrap_or_default().split(['M', 'L', 'H', ' ']);
            for number in numbers.filter(|number| !number.is_empty()) {
                let place: f64 = number.parse().expect("a number");
                assert!((0.0..=380.0).contains(&place), "{number}");
            }
        }
    });
}

#[test]
fn the_table_says_what_was_measured() {
    let comparison = synthetic::comparison();
    let runs: Vec<_> = comparison
        .loads
        .iter()
        .map(|load| &load.runs)
        .chain([&comparison.burst, &comparison.stall].into_iter().flatten().map(|e| &e.runs))
        .flatten()
        .collect();
    let table: Vec<Vec<String>> = with_page(&comparison, |page| {
        let table = all(page, "table").last().expect("the table of all figures");
        let rows = table.descendants().filter(|node| node.has_tag_name("tr")).skip(1);
        rows.map(|row| row.children().filter(Node::is_element).map(text).collect()).collect()
    });

    assert_eq!(table.len(), runs.len());
    for (row, run) in table.iter().zip(runs) {
        let figures = Figures::of(run.way, &run.measurement);
        assert_eq!(row[1], run.way.word());
        let (answer, outcome) = (figures.acknowledged.unwrap(), figures.outcome.unwrap());
        let wanted = [
            figures.offered_per_s,
            run.measurement.answered_per_s,
            figures.settled_per_s.unwrap(),
            figures.refused_percent,
            figures.unserved_percent,
            answer.p50,
            answer.p99,
            outcome.p50,
            outcome.p99,
            figures.cpu_s_per_1000.unwrap(),
        ];
        for (cell, wanted) in row[2..].iter().zip(wanted) {
            let written: f64 = cell.replace(',', "").parse().expect("a number");
            let error = (written - wanted).abs();
            assert!(error <= 0.051 || error <= wanted * 0.006, "{cell} for {wanted}");
        }
    }
}

#[test]
fn the_page_needs_nothing_from_anywhere() {
    let page = html(&synthetic::comparison());
    for word in ["<script", "<link", "<img", "src=", "href=", "url(", "@import", "https:"] {
        assert!(!page.contains(word), "{word}");
    }
    let command = escape(&synthetic::comparison().command);
    assert!(!page.replace(&command, "").contains("http:"));
}

#[test]
fn what_was_not_measured_is_left_out() {
    let mut comparison = synthetic::comparison();
    comparison.stall = None;
    comparison.burst = None;
    comparison.loads.truncate(1);
    comparison.loads[0].runs.retain(|run| run.way == Way::Async);
    comparison.loads[0].runs[0].measurement.outcome = None;
    with_page(&comparison, |page| {
        assert!(all(page, "h2").all(|heading| !text(heading).contains("stands still")));
        let row = all(page, "tr").last().map(text).unwrap_or_default();
        assert!(row.contains('–'), "{row}");
    });
}

#[test]
fn a_comparison_read_back_is_the_same_page() {
    let comparison = synthetic::comparison();
    let json = serde_json::to_string(&comparison).unwrap();
    assert_eq!(html(&serde_json::from_str(&json).unwrap()), html(&comparison));
}
