//! `doorbuster load overload`: what becomes of those who are too many, and how soon it is over.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use loadgen::OverloadPlan;
use loadgen::measure::Arrivals;

use super::options::{Options, seconds};

#[derive(Debug, Args)]
pub(crate) struct Overload {
    #[command(flatten)]
    options: Options,
    /// Requests per second that are too many; three times the knee, say
    #[arg(long, value_name = "PER_S")]
    rate: f64,
    /// Seconds for which they come
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    duration_s: f64,
    /// Requests per second afterwards; well below the knee
    #[arg(long, value_name = "PER_S", default_value_t = 1_000.0)]
    probe_rate: f64,
    /// Seconds for which these come
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    probe_s: f64,
    /// The shop has recovered when 99 of 100 answers come within this time and nobody is refused
    #[arg(long, value_name = "MS", default_value_t = 50)]
    p99_max_ms: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it; success only if nothing was lost or failed, and the shop recovered.
pub(crate) fn run(options: &Overload) -> anyhow::Result<ExitCode> {
    let arrivals = Arrivals::Closed { connections: options.options.connections };
    let plan = OverloadPlan {
        load: options.options.load(arrivals, options.duration_s)?,
        per_s: options.rate,
        lasts: seconds("--duration-s", options.duration_s)?,
        probe_per_s: options.probe_rate,
        probes: seconds("--probe-s", options.probe_s)?,
        p99_max: Duration::from_millis(options.p99_max_ms),
    };
    let found = super::on_one_thread(loadgen::overload(plan))?;
    super::print(&found, options.json)?;
    Ok(super::exit(found.problems.is_empty()))
}
