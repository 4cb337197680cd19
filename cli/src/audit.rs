//! `doorbuster audit`: what the servers alone can tell, the same account as the operators' route.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use shared::pipeline::audit::{self, AuditReport, ProductReport};
use shared::ports::Ports;

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Audit, ports: &Ports) -> Result<ExitCode> {
    let report = audit::audit(&*ports.ledger, &*ports.gate)
        .await
        .context("the ledger could not be read; check postgres.url and run `doorbuster migrate`")?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", table(&report)?);
    }
    Ok(if report.healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(report: &AuditReport) -> Result<String> {
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
        let faults = faults(row);
        writeln!(
            text,
            "{:>8} {total:>12} {available:>12} {reserved:>10} {sold:>12} {gate:>12}{faults}",
            product_id.0
        )?;
    }
    let AuditReport { parked, dead_letters, outbox, .. } = report;
    writeln!(text, "parked {parked}, dead letters {dead_letters}, outbox {outbox}")?;
    writeln!(text, "{}", if report.healthy { "healthy" } else { "NOT HEALTHY" })?;
    Ok(text)
}

fn faults(row: &ProductReport) -> String {
    [
        (row.conserved, "  counts do not add up"),
        (row.orders_match, "  orders do not match"),
        (row.gate_matches, "  gate does not match"),
    ]
    .iter()
    .filter_map(|&(fine, fault)| (!fine).then_some(fault))
    .collect()
}
