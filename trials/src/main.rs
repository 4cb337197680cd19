//! `doorbuster-trials`: lives the simulated life of a shop, by seed.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A command's output.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use trials::chaos::{self, Setup, Trial as Run};
use trials::explore;
use trials::simulation::{self, Counts};

/// Does Doorbuster keep its promises?
#[derive(Debug, Parser)]
#[command(name = "doorbuster-trials", version)]
struct Cli {
    #[command(subcommand)]
    what: Trial,
}

#[derive(Debug, Subcommand)]
enum Trial {
    /// Random lives of a small shop with faults
    Simulate {
        /// The first seed
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// How many lives, with seeds one after the other
        #[arg(long, default_value_t = 1)]
        lives: u64,
        /// Print every call and every event
        #[arg(long)]
        trace: bool,
    },
    /// The bugs that can be planted to test the tests, one per line
    Mutants,
    /// Every order of events in a small world
    Explore {
        /// Faults that may happen in one life
        #[arg(long, default_value_t = 2)]
        faults: usize,
        /// Print one life instead: the choices of a breach, separated by commas
        #[arg(long, value_delimiter = ',')]
        choices: Option<Vec<usize>>,
    },
    /// The real programs over real servers, killed, stopped and cut
    Chaos(Chaos),
}

#[derive(Debug, Args)]
struct Chaos {
    /// Faults, buyers and what they do follow from it; when exactly things happen does not
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long there are faults
    #[arg(long, default_value_t = 2)]
    minutes: u64,
    /// Buyers who come per second
    #[arg(long, default_value_t = 40)]
    buyers_per_s: u32,
    /// Servers with replicas, which take over
    #[arg(long)]
    replicated: bool,
    /// A crash at each named moment instead, one after the other
    #[arg(long)]
    moments: bool,
    /// Where the servers' data, the programs' logs and the clients' history go; must not exist
    #[arg(long)]
    out: PathBuf,
    /// Where the programs are; without it beside this one
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match Cli::parse().what {
        Trial::Simulate { seed, lives, trace } => simulate(seed, lives, trace),
        Trial::Chaos(options) => chaos(options).unwrap_or_else(|error| {
            eprintln!("doorbuster-trials: {error:#}");
            ExitCode::from(2)
        }),
        Trial::Mutants => {
            for (bug, rule) in shared::planted::BUGS {
                println!("{bug}\t{rule}");
            }
            ExitCode::SUCCESS
        }
        Trial::Explore { faults, choices: None } => explore_all(faults),
        Trial::Explore { faults, choices: Some(choices) } => {
            print!("{}", explore::tell(faults, &choices));
            ExitCode::SUCCESS
        }
    }
}

fn explore_all(faults: usize) -> ExitCode {
    let explored = explore::explore(faults);
    for (choices, breach) in &explored.breaches {
        let choices = choices.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        eprintln!("{breach}");
        eprintln!(
            "again: cargo run -p doorbuster-trials -- explore --faults {faults} --choices {choices}"
        );
    }
    println!(
        "{} states, {} ends, {} lives; {} breaches",
        explored.states,
        explored.ends,
        explored.lives,
        explored.breaches.len()
    );
    if explored.breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What breaks a promise is exit code 1, what could not be tried is 2.
fn chaos(options: Chaos) -> anyhow::Result<ExitCode> {
    let Chaos { seed, minutes, buyers_per_s, replicated, moments, out, binaries, json } = options;
    let beside = || Ok(std::env::current_exe()?.with_file_name(""));
    let binaries = binaries.map_or_else(beside, anyhow::Ok)?;
    let setup = Setup { binaries, folder: out, replicated, apis: 2, workers: 2 };
    let tell = |what: &str| eprintln!("chaos: {what}");
    let runtime = tokio::runtime::Runtime::new()?;
    if moments {
        let breaches = runtime.block_on(chaos::at_every_moment(&setup, &tell))?;
        for breach in &breaches {
            println!("BREACH {breach}");
        }
        return Ok(ExitCode::from(u8::from(!breaches.is_empty())));
    }
    let time = Duration::from_secs(60 * minutes);
    let report = runtime.block_on(chaos::run(&Run { setup, seed, time, buyers_per_s }, &tell))?;
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(ExitCode::from(u8::from(!report.kept())))
}

/// Lives one after the other, on every processor.
fn simulate(seed: u64, lives: u64, trace: bool) -> ExitCode {
    let (mut all, mut bad) = (Counts::default(), 0);
    simulation::live_all(seed, lives, |life| {
        if trace {
            print!("{}", life.trace);
        }
        all += life.counts;
        bad += u64::from(!life.breaches.is_empty());
        eprint!("{}", life.report());
    });
    println!("{lives} lives: {all}; {bad} with breaches");
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
