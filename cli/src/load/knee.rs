//! `doorbuster load knee`: the highest rate that a shop sustains.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use loadgen::measure::Arrivals;
use loadgen::{KneePlan, Step};

use super::options::Options;

#[derive(Debug, Args)]
pub(crate) struct Knee {
    #[command(flatten)]
    options: Options,
    /// Seconds that each step is measured
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    duration_s: f64,
    /// A rate is sustained only if 99 of 100 answers come within this time
    #[arg(long, value_name = "MS", default_value_t = 50)]
    p99_max_ms: u64,
    /// Print one JSON object, with the measurement of every step
    #[arg(long)]
    json: bool,
}

/// Searches; success if some rate was sustained and nothing was lost at any.
pub(crate) fn run(options: &Knee) -> anyhow::Result<ExitCode> {
    let arrivals = Arrivals::Closed { connections: options.options.connections };
    let load = options.options.load(arrivals, options.duration_s)?;
    let plan = KneePlan { load, p99_max: Duration::from_millis(options.p99_max_ms) };
    // Steps are shown as they come; on stderr where stdout is for machines.
    let show = |line: &str| if options.json { eprintln!("{line}") } else { println!("{line}") };
    let mut has_head = false;
    let watcher = |step: &Step| {
        if !has_head {
            show(Step::HEAD);
            has_head = true;
        }
        show(&step.to_string());
    };
    let found = super::on_one_thread(loadgen::knee(plan, watcher))?;
    super::print(&found, options.json)?;
    Ok(super::exit(found.problems.is_empty()))
}
