//! `doorbuster load stampede`: lets a crowd loose on a shop and audits what came of it.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use loadgen::{Holds, Mode, Plan};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    /// 202 with a tracking ID that is followed to its end
    Async,
    /// The outcome is in the response
    Sync,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "they are switches of a command line")]
pub(crate) struct Stampede {
    /// An instance of the API; repeat it to spread the load and to fail over
    #[arg(long = "url", value_name = "URL", required = true)]
    urls: Vec<String>,
    /// How many buyers press "buy", once each
    #[arg(long, default_value_t = 10_000)]
    buyers: u64,
    /// Units on sale; a new product is made with them
    #[arg(long, required_unless_present = "product", conflicts_with = "product")]
    stock: Option<i64>,
    /// The way the buyers take
    #[arg(long, value_enum, default_value_t = Way::Async)]
    mode: Way,
    /// Units each buyer wants
    #[arg(long, default_value_t = 1)]
    quantity: i64,
    /// Share of buyers, 0 to 1, who place a hold instead of buying
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    hold: f64,
    /// Share of holders, 0 to 1, who check out; the default is all who don't abandon the hold. Who
    /// does neither cancels
    #[arg(long, value_name = "SHARE", requires = "hold")]
    checkout: Option<f64>,
    /// Share of holders, 0 to 1, who do nothing more: the hold runs out
    #[arg(long, value_name = "SHARE", requires = "hold", default_value_t = 0.0)]
    abandon: f64,
    /// How long after the crowd holds may take to run out and come back; 0 doesn't wait. The default
    /// is until 10 s after the last of their deadlines
    #[arg(long, value_name = "S", alias = "expiry-wait", requires = "hold")]
    expiry_wait_s: Option<u64>,
    /// Keep-alive connections, each with one request under way at a time
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// Sell what this product has left instead of making one; nobody else may be buying it
    #[arg(long, value_name = "ID")]
    product: Option<i64>,
    /// The operators' API key
    #[arg(long, value_name = "KEY", env = "DOORBUSTER__ADMIN__API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Send no Idempotency-Key: saves the API a Redis call, but a broken connection leaves a buyer
    /// in doubt
    #[arg(long)]
    no_keys: bool,
    /// Every buyer must have a definite answer within this time
    #[arg(long, default_value_t = 120)]
    timeout_s: u64,
    /// Run a shell command, once, when half of the stock is sold or held; `$DOORBUSTER_SOLD` is the count
    #[arg(long, value_name = "COMMAND")]
    at_half: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Stampede {
    fn plan(self) -> Plan {
        Plan {
            urls: self.urls,
            mode: match self.mode {
                Way::Async => Mode::Async,
                Way::Sync => Mode::Sync,
            },
            buyers: self.buyers,
            stock: self.stock,
            quantity: self.quantity,
            holds: Holds {
                hold: self.hold,
                checkout: self.checkout.unwrap_or(1.0 - self.abandon.clamp(0.0, 1.0)),
                abandon: self.abandon,
                expiry_wait: self.expiry_wait_s.map(Duration::from_secs),
            },
            connections: self.connections,
            api_key: self.api_key.filter(|key| !key.is_empty()),
            keys: !self.no_keys,
            product: self.product,
            timeout: Duration::from_secs(self.timeout_s),
            at_half: self.at_half,
            progress: true,
        }
    }
}

/// Runs the stampede; success only if everything is as it must be.
pub(crate) fn run(options: Stampede) -> anyhow::Result<ExitCode> {
    let json = options.json;
    let report = super::on_one_thread(loadgen::stampede(options.plan()))?;
    super::print(&report, json)?;
    Ok(super::exit(report.ok))
}
