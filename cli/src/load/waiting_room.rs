//! `doorbuster load waiting-room`: a crowd that waits in line.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use loadgen::WaitingRoomPlan;

use super::options::Process;

#[derive(Debug, Args)]
pub(crate) struct WaitingRoom {
    /// An instance of the API; repeat it to spread the clients
    #[arg(long = "url", value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Clients who wait, each on a connection of its own; needs as many open files (ulimit -n), here and
    /// at the API
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
    /// Share of them, 0 to 1, who are connected by WebSocket; the others by SSE
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    websockets: f64,
    /// Clients who connect per second
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    connects_per_second: u32,
    /// Units on sale; a new product is made with them
    #[arg(long, default_value_t = 100_000)]
    stock: i64,
    /// Shoppers let in per second
    #[arg(long, value_name = "N", default_value_t = 50)]
    admit_per_second: u32,
    /// Purchases per second, by those who were let in
    #[arg(long, value_name = "N", default_value_t = 2)]
    purchases_per_second: u32,
    /// How long they wait
    #[arg(long, value_name = "S", default_value_t = 30)]
    duration_s: u64,
    /// All must be connected within this time
    #[arg(long, value_name = "S", default_value_t = 120)]
    patience_s: u64,
    /// The operators' API key
    #[arg(long, value_name = "KEY", env = "DOORBUSTER__ADMIN__API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Look at the memory and the processor time of a process and its descendants; repeat it
    #[arg(long = "process", value_name = "NAME=PID")]
    processes: Vec<Process>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Lets a crowd wait; success only if everybody heard everything.
pub(crate) fn run(options: WaitingRoom) -> anyhow::Result<ExitCode> {
    let json = options.json;
    let plan = WaitingRoomPlan {
        urls: options.urls,
        clients: options.clients,
        websockets: options.websockets,
        connects_per_second: options.connects_per_second,
        stock: options.stock,
        admit_per_second: options.admit_per_second,
        purchases_per_second: options.purchases_per_second,
        duration: Duration::from_secs(options.duration_s),
        patience: Duration::from_secs(options.patience_s),
        api_key: options.api_key.filter(|key| !key.is_empty()),
        processes: options.processes.into_iter().map(|Process(watched)| watched).collect(),
        progress: true,
    };
    let report = super::on_one_thread(loadgen::waiting_room(plan))?;
    super::print(&report, json)?;
    Ok(super::exit(report.ok))
}
