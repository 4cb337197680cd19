//! `doorbuster audit`: what the servers alone can tell, the same account as the operators' route; and
//! what instances of the API show, where it is told which.

mod boards;
mod table;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use shared::pipeline::audit;
use shared::ports::Ports;

const NO_LEDGER: &str =
    "the ledger could not be read; check postgres.url and run `doorbuster migrate`";

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// An instance of the API, whose stock is compared too; repeat it for each
    #[arg(long = "api", value_name = "URL")]
    apis: Vec<String>,
}

pub(crate) async fn run(options: &Audit, ports: &Ports) -> Result<ExitCode> {
    let mut report = audit::audit(&*ports.ledger, &*ports.gate).await.context(NO_LEDGER)?;
    for url in &options.apis {
        report.add(boards::compare(url, &*ports.ledger).await?);
    }
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", table::table(&report)?);
    }
    Ok(if report.healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
