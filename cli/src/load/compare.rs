//! `doorbuster load compare`: the synchronous and the asynchronous way under the same loads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use loadgen::compare::{self, Comparison, Plan};
use loadgen::measure::Arrivals;
use loadgen::{Follow, Load, Scenario};

use super::options::{Process, seconds};

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// An instance of the API; repeat it to spread the load and to fail over
    #[arg(long = "url", value_name = "URL", required_unless_present = "from")]
    urls: Vec<String>,
    /// Seconds that each steady load is offered
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// What the synchronous way can take per second; the default is to find it
    #[arg(long, value_name = "PER_S", value_parser = rate)]
    knee_sync: Option<f64>,
    /// What the asynchronous way can take per second; the default is to find it
    #[arg(long, value_name = "PER_S", value_parser = rate)]
    knee_async: Option<f64>,
    /// Keep-alive connections that serve the arrivals; above the knee too few of them would be the limit
    #[arg(long, default_value_t = 1024)]
    connections: usize,
    /// The operators' API key
    #[arg(long, value_name = "KEY", env = "DOORBUSTER__ADMIN__API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Count the processor time of a process and its descendants; repeat it, a name's uses add up
    #[arg(long = "process", value_name = "NAME=PID")]
    processes: Vec<Process>,
    /// The ledger: for two seconds it is made to stand still, and what it writes to its log is counted
    #[arg(long, value_name = "URL", env = "DOORBUSTER__POSTGRES__URL", hide_env_values = true)]
    postgres: Option<String>,
    /// Name a version in the page; repeat it
    #[arg(long = "software", value_name = "NAME=VERSION", value_parser = software)]
    software: Vec<(String, String)>,
    /// Write a page that needs nothing but a browser
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the table as Markdown; the default is to print it
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Keep all that was measured
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show again what --json kept, instead of measuring
    #[arg(long, value_name = "FILE", conflicts_with_all = ["urls", "knee_sync", "knee_async", "json"])]
    from: Option<PathBuf>,
}

/// Measures or reads, and shows; success only if nothing was lost.
pub(crate) fn run(options: &Compare) -> anyhow::Result<ExitCode> {
    let comparison = match &options.from {
        Some(file) => read(file)?,
        None => super::on_one_thread(compare::compare(options.plan()?))?,
    };
    // First what took minutes to measure, in case the others cannot be written.
    if let Some(file) = &options.json {
        write(file, &serde_json::to_string(&comparison)?)?;
    }
    if let Some(file) = &options.out {
        write(file, &compare::html(&comparison))?;
    }
    match &options.markdown {
        Some(file) => write(file, &compare::markdown(&comparison))?,
        None => print!("{}", compare::markdown(&comparison)),
    }
    for note in &comparison.notes {
        eprintln!("{note}");
    }
    Ok(super::exit(comparison.lost() == 0))
}

impl Compare {
    fn plan(&self) -> anyhow::Result<Plan> {
        // Each run says for itself what is asked, how often and for how long.
        let arrivals = Arrivals::Closed { connections: self.connections };
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let load = Load {
            duration: seconds("--seconds", self.seconds)?,
            api_key: given(&self.api_key),
            processes: self.processes.iter().map(|process| process.0.clone()).collect(),
            postgres: given(&self.postgres),
            // More than usual: the 99th percentile of a light load must not hang on a few.
            follow: Follow::Sample { every: 16 },
            progress: true,
            ..Load::new(self.urls.clone(), Scenario::Settle, arrivals)
        };
        Ok(Plan {
            load,
            connections: self.connections,
            seconds: self.seconds,
            sync_per_s: self.knee_sync,
            async_per_s: self.knee_async,
            command: command(),
            software: self.software.clone(),
            say: |what| eprintln!("{what}"),
        })
    }
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or("must be a rate per second, more than 0")
}

fn software(text: &str) -> Result<(String, String), &'static str> {
    let (name, version) = text.split_once('=').ok_or("write it as NAME=VERSION")?;
    Ok((name.to_owned(), version.to_owned()))
}

/// What was typed, without what must stay secret.
fn command() -> String {
    let mut words = vec!["doorbuster".to_owned()];
    let mut is_secret = false;
    for word in std::env::args().skip(1) {
        let (option, value) = word.split_once('=').map_or((&*word, None), |(o, v)| (o, Some(v)));
        let names_secret = matches!(option, "--api-key" | "--postgres");
        words.push(match value {
            _ if is_secret => "…".to_owned(),
            Some(_) if names_secret => format!("{option}=…"),
            _ => word.clone(),
        });
        is_secret = names_secret && value.is_none();
    }
    words.join(" ")
}

fn read(file: &Path) -> anyhow::Result<Comparison> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!("{} is not what `doorbuster load compare --json` writes", file.display())
    })
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}
