//! `doorbuster-api`: takes purchases over HTTP.
#![allow(clippy::print_stdout, clippy::print_stderr)] // Before there is a log, and for --print-config.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use shared::adapters::family;
use shared::config::{Config, PaymentProvider};
use shared::{shutdown, telemetry};
use tokio::net::TcpListener;
use tracing::warn;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Takes purchases over HTTP. SIGTERM: finishes open requests, leaves.
#[derive(Debug, Parser)]
#[command(name = "doorbuster-api", version)]
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
            eprintln!("doorbuster-api: {error:#}");
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
    config.check_webhooks()?;
    telemetry::init_logs(&config.log)?;
    let metrics = telemetry::init_metrics()?;
    if config.payments.provider == PaymentProvider::Simulated {
        warn!("payments.provider is simulated: checkouts are approved without any money");
    }
    let ports = family::real(&config)?;
    let addr = config.http.addr;
    let listener = TcpListener::bind(addr).await.with_context(|| format!("http.addr {addr}"))?;
    api::run(ports, &config, Some(metrics), listener, shutdown::on_signal()?).await?;
    Ok(())
}
