//! The report for people.

use std::fmt::Write as _;

use anyhow::Result;
use shared::pipeline::audit::{AuditReport, Case, Finding, ProductReport};

/// Cases of one kind in the table; `--json` has a hundred.
const CASES_MAX: usize = 10;

pub(super) fn table(report: &AuditReport) -> Result<String> {
    let mut text = String::new();
    let header = ["product", "total", "available", "reserved", "sold", "gate"];
    let [product, total, available, reserved, sold, gate] = header;
    writeln!(
        text,
        "{product:>8} {total:>12} {available:>12} {reserved:>10} {sold:>12} {gate:>12}"
    )?;
    for row in &report.products {
        let ProductReport { product_id, total, available, reserved, sold, .. } = row;
        let gate = row.gate.map_or_else(|| "-".into(), |gate| gate.free.to_string());
        writeln!(
            text,
            "{:>8} {total:>12} {available:>12} {reserved:>10} {sold:>12} {gate:>12}",
            product_id.0
        )?;
    }
    let AuditReport { parked, dead_letters, outbox, outbox_oldest_seconds, .. } = report;
    write!(text, "parked {parked}, dead letters {dead_letters}, outbox {outbox}")?;
    if *outbox > 0 {
        write!(text, " (the oldest {outbox_oldest_seconds:.1} s)")?;
    }
    writeln!(text)?;
    for finding in &report.findings {
        write_finding(&mut text, finding)?;
    }
    writeln!(text, "{}", if report.healthy { "healthy" } else { "NOT HEALTHY" })?;
    Ok(text)
}

fn write_finding(text: &mut String, finding: &Finding) -> Result<()> {
    let Finding { invariant, kind, count, cases } = finding;
    writeln!(text, "{invariant:<4} {}: {count}", kind.says())?;
    for case in cases.iter().take(CASES_MAX) {
        let Case { what, found, expected, .. } = case;
        writeln!(text, "       {}{what} {found}, expected {expected}", subject(case))?;
    }
    let named = i64::try_from(cases.len().min(CASES_MAX))?;
    if *count > named {
        writeln!(text, "       and {} more", count - named)?;
    }
    Ok(())
}

/// Whom it is about; nothing where it is about all.
fn subject(case: &Case) -> String {
    let Case { api, product_id, sale_id, user_id, order_id, .. } = case;
    let named = [
        api.clone(),
        product_id.map(|id| format!("product {id}")),
        sale_id.map(|id| format!("sale {id}")),
        user_id.as_ref().map(|user| format!("user {user}")),
        order_id.map(|id| format!("order {id}")),
    ];
    let named: Vec<_> = named.into_iter().flatten().collect();
    if named.is_empty() { String::new() } else { format!("{}: ", named.join(", ")) }
}

#[cfg(test)]
mod tests {
    use shared::domain::{ProductId, SaleId};
    use shared::pipeline::audit::Kind;

    use super::*;

    #[test]
    fn a_finding_says_whom_it_is_about_and_how_many_there_are() {
        let buyer = |units| Case {
            sale_id: Some(SaleId(7)),
            user_id: Some("ann".into()),
            ..Case::of(ProductId(1), "units", units, 0)
        };
        let cases = (1..=12).map(buyer).collect();
        let finding = Finding::all(Kind::BuyersDiffer, cases).unwrap();
        let mut text = String::new();
        write_finding(&mut text, &finding).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "I9   what a limit counts is not what the orders say: 12");
        assert_eq!(lines[1], "       product 1, sale 7, user ann: units 1, expected 0");
        assert_eq!((lines.len(), lines[11]), (12, "       and 2 more"));
    }
}
