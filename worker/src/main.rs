//! `doorbuster-worker`: settles purchases from the queue.
#![allow(clippy::print_stdout, clippy::print_stderr)] // Before there is a log, and for --print-config.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use shared::adapters::family;
use shared::config::Config;
use shared::{shutdown, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Settles purchases from the queue. SIGTERM: finishes the batch in hand, acknowledges, leaves.
#[derive(Debug, Parser)]
#[command(name = "doorbuster-worker", version)]
struct Args {
    /// Configuration file; ./doorbuster.toml is read where it exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the configuration in force, secrets hidden, and exit
    #[arg(long)]
    print_config: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match start(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("doorbuster-worker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn start(args: Args) -> anyhow::Result<()> {
    if args.print_config {
        print!("{}", Config::print(args.config.as_deref())?);
        return Ok(());
    }
    let config = Config::load(args.config.as_deref())?;
    telemetry::init_logs(&config.log)?;
    if let Some(addr) = config.metrics.addr {
        telemetry::serve_metrics(addr).context("metrics.addr")?;
    }
    let ports = family::real(&config)?;
    worker::run(ports, &config, shutdown::on_signal()?).await;
    Ok(())
}
