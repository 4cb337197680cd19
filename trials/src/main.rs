//! `doorbuster-trials`: lives the simulated life of a shop, by seed.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A command's output.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use trials::explore;
use trials::simulation::{self, Counts};

/// Does Doorbuster keep its promises?
#[derive(Debug, Parser)]
#[command(name = "doorbuster-trials", version)]
struct Args {
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
}

fn main() -> ExitCode {
    match Args::parse().what {
        Trial::Simulate { seed, lives, trace } => simulate(seed, lives, trace),
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
