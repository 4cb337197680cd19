//! `doorbuster load run`: one measured run of one scenario.

use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use loadgen::measure::Arrivals;

use super::options::Options;

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    options: Options,
    /// Open loop: so many requests per second are due, whether or not earlier ones are answered, and
    /// latency counts from the moment at which they are due. Without a rate each connection asks
    /// again as soon as it is answered, which measures capacity
    #[arg(long, value_name = "PER_S")]
    rate: Option<f64>,
    /// Open loop with a rate that changes: second and rate, such as 0:500,10:5000,12:500
    #[arg(long, value_name = "S:PER_S,…", conflicts_with = "rate")]
    rates: Option<Rates>,
    /// Seconds that are measured
    #[arg(long, value_name = "S", default_value_t = 20.0)]
    duration_s: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// From each second on, a rate.
#[derive(Debug, Clone)]
struct Rates(Vec<(f64, f64)>);

impl FromStr for Rates {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = |pair: &str| {
            let (from_s, rate) = pair.split_once(':')?;
            Some((from_s.trim().parse().ok()?, rate.trim().parse().ok()?))
        };
        let rates: Option<Vec<_>> = text.split(',').map(pair).collect();
        rates.map(Self).ok_or("write it as SECOND:RATE,SECOND:RATE, such as 0:500,10:5000")
    }
}

impl Run {
    fn arrivals(&self) -> Arrivals {
        let connections = self.options.connections;
        let rates = self.rates.clone().map(|rates| rates.0);
        match rates.or(self.rate.map(|rate| vec![(0.0, rate)])) {
            Some(rates) => Arrivals::Open { rates, connections },
            None => Arrivals::Closed { connections },
        }
    }
}

/// Runs it; success only if nothing was lost or failed.
pub(crate) fn run(options: &Run) -> anyhow::Result<ExitCode> {
    let load = options.options.load(options.arrivals(), options.duration_s)?;
    let measurement = super::on_one_thread(loadgen::measure(load))?;
    super::print(&measurement, options.json)?;
    Ok(super::exit(measurement.problems.is_empty()))
}
