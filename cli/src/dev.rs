//! `doorbuster dev`: API and worker in one process, on adapters in memory.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use secrecy::ExposeSecret;
use shared::adapters::family;
use shared::config::Config;
use shared::ports::Ports;
use shared::{shutdown, telemetry};
use tokio::net::TcpListener;

use crate::{demo, seed};

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Where to listen instead of http.addr
    #[arg(long, value_name = "IP:PORT")]
    addr: Option<SocketAddr>,
}

pub(crate) async fn run(options: Dev, mut config: Config) -> Result<ExitCode> {
    config.check_webhooks()?;
    let metrics = telemetry::init_metrics()?;
    let addr = options.addr.unwrap_or(config.http.addr);
    let listener = TcpListener::bind(addr)
        .await
        .with_context(|| format!("cannot listen on {addr}; choose another with --addr"))?;
    let payments = family::payments(&config.payments);
    let ports = Ports { payments, ..family::embedded() };
    seed::seed(&*ports.ledger).await?;
    demo::plan(&*ports.ledger, ports.clock.now()).await?;
    if config.admin.api_key.expose_secret().is_empty() {
        config.admin.api_key = format!("{:032x}", rand::random::<u128>()).into();
    }
    // In this process there is nobody to listen.
    config.events.enabled = false;
    greet(listener.local_addr()?, &config);

    let stop = shutdown::on_signal()?;
    let worker = worker::run(ports.clone(), &config, stop.clone());
    let api = api::run(ports, &config, Some(metrics), listener, stop.clone());
    let ((), served) = tokio::join!(worker, api);
    served?;
    Ok(ExitCode::SUCCESS)
}

fn greet(addr: SocketAddr, config: &Config) {
    let api_key = config.admin.api_key.expose_secret();
    let shop = if config.http.page { "The demo shop is at" } else { "Doorbuster is open at" };
    println!(
        "{shop} http://{addr}/ (documentation: http://{addr}/docs)\n\
         Everything is in memory: nothing outlives this process.\n\
         Operators send   X-Api-Key: {api_key}\n\
         Buy something:\n\n  \
         curl -i -X POST http://{addr}/api/v1/async/purchase -H 'content-type: application/json' \\\n       \
         -d '{{\"productId\":1,\"quantity\":1,\"userId\":\"u-1\"}}'\n"
    );
}
