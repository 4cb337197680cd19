//! The options that measured runs have in common.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use loadgen::measure::Arrivals;
use loadgen::{Buyer, Follow, Load, Scenario, Watched};

/// What is asked.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// Asynchronous purchases; only the 202 counts, nothing is followed
    Accept,
    /// Asynchronous purchases to their final outcome
    Settle,
    /// Synchronous purchases
    Sync,
    /// Purchases of what is sold out: the refusal at the edge is what is measured
    SoldOut,
    /// Availability of a product, and purchases looked up
    Reads,
    /// Reads, and some asynchronous purchases
    Mixed,
    /// Holds, granted in the answer
    Holds,
    /// Holds by 202, to their final outcome
    HoldsAsync,
}

/// How buyers learn the outcome of a 202.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    /// A part of the purchases is followed, many per request
    Sample,
    /// Every buyer polls for the own purchase on the connection that made it
    Poll,
}

#[derive(Debug, Args)]
pub(super) struct Options {
    /// What is asked
    #[arg(value_enum)]
    scenario: Name,
    /// An instance of the API; repeat it to spread the load and to fail over
    #[arg(long = "url", value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Keep-alive connections, each with one request under way at a time
    #[arg(long, default_value_t = 256)]
    pub(super) connections: usize,
    /// Seconds under load before the measured time
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    warm_up_s: f64,
    /// Products made for each run; arrivals are for each in turn
    #[arg(long, value_name = "N", default_value_t = 1)]
    products: u32,
    /// Units of each product that is made for each run
    #[arg(long, default_value_t = 10_000_000)]
    stock: i64,
    /// The operators' API key
    #[arg(long, value_name = "KEY", env = "DOORBUSTER__ADMIN__API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Buyers who buy again and again, in turn: one in each line, with an access token behind the name where the
    /// shop asks for one (`doorbuster load tokens` prints such lines). Without them each buyer is new
    #[arg(long, value_name = "FILE")]
    buyers: Option<PathBuf>,
    /// Send no Idempotency-Key: saves the API a Redis call
    #[arg(long)]
    no_keys: bool,
    /// Share of look-ups among `reads`, 0 to 1; the others ask for availability
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    polls: f64,
    /// Share of purchases in `mixed`, 0 to 1; the others read, half of each kind
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    purchases: f64,
    /// How buyers learn the outcome of a 202 while the load is on. Every 202 is looked up afterwards
    #[arg(long, value_enum, default_value_t = Way::Sample)]
    follow: Way,
    /// Follow one purchase in so many
    #[arg(long, value_name = "N", default_value_t = 64)]
    follow_every: u32,
    /// Count the processor time of a process and its descendants; repeat it, a name's uses add up
    #[arg(long = "process", value_name = "NAME=PID")]
    processes: Vec<Process>,
    /// Count what this PostgreSQL writes to its log
    #[arg(long, value_name = "URL", env = "DOORBUSTER__POSTGRES__URL", hide_env_values = true)]
    postgres: Option<String>,
    /// Buyers of an open loop for whom no connection is free within this time go away; they count as
    /// dropped
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    late_max_s: f64,
    /// Accepted purchases of which none is decided for so long are lost
    #[arg(long, value_name = "S", default_value_t = 30.0)]
    patience_s: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Process(pub(super) Watched);

impl FromStr for Process {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, pid) = text.split_once('=').ok_or("write it as NAME=PID, such as api=1234")?;
        let pid = pid.trim().parse().map_err(|_| "what follows the = must be a process ID")?;
        Ok(Self(Watched { name: name.trim().to_owned(), pid }))
    }
}

impl Options {
    fn buyers(&self) -> anyhow::Result<Vec<Buyer>> {
        let Some(file) = &self.buyers else { return Ok(Vec::new()) };
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("--buyers {}", file.display()))?;
        let buyer = |line: &str| {
            let (user_id, token) = line.split_once(' ').map_or((line, None), |(u, t)| (u, Some(t)));
            let authorization = token.map(|token| format!("Bearer {}", token.trim()));
            Buyer { user_id: user_id.into(), authorization }
        };
        let buyers: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(buyer).collect();
        ensure!(!buyers.is_empty(), "--buyers {}: nobody is in it", file.display());
        Ok(buyers)
    }

    pub(super) fn load(&self, arrivals: Arrivals, duration_s: f64) -> anyhow::Result<Load> {
        let scenario = match self.scenario {
            Name::Accept => Scenario::Accept,
            Name::Settle => Scenario::Settle,
            Name::Sync => Scenario::Sync,
            Name::SoldOut => Scenario::SoldOut,
            Name::Reads => Scenario::Reads { polls: self.polls },
            Name::Mixed => Scenario::Mixed { purchases: self.purchases },
            Name::Holds => Scenario::Holds,
            Name::HoldsAsync => Scenario::HoldsAsync,
        };
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(Load {
            duration: seconds("--duration-s", duration_s)?,
            warm_up: seconds("--warm-up-s", self.warm_up_s)?,
            products: self.products,
            stock: self.stock,
            api_key: given(&self.api_key),
            buyers: self.buyers()?,
            keys: !self.no_keys,
            processes: self.processes.iter().map(|process| process.0.clone()).collect(),
            postgres: given(&self.postgres),
            follow: match self.follow {
                Way::Sample => Follow::Sample { every: self.follow_every },
                Way::Poll => Follow::Poll,
            },
            late_max: seconds("--late-max-s", self.late_max_s)?,
            patience: seconds("--patience-s", self.patience_s)?,
            progress: true,
            ..Load::new(self.urls.clone(), scenario, arrivals)
        })
    }
}

pub(super) fn seconds(option: &str, seconds: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(seconds).with_context(|| format!("{option} must be 0 or more"))
}
