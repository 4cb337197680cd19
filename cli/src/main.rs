//! The command line of Doorbuster.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is where a command answers")]

mod health;
mod load;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sells a limited stock to a crowd.
#[derive(Debug, Parser)]
#[command(name = "doorbuster", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let a crowd loose on a shop and audit what came of it
    #[command(subcommand)]
    Load(load::Load),
    /// Ask one URL; exits 0 if the answer is 2xx
    Health(health::Health),
}

/// Exit codes: 0 all is well, 1 something was found, 2 the command itself could not be done.
fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Load(options) => load::run(options),
        Command::Health(options) => health::run(&options),
    };
    done.unwrap_or_else(|error| {
        eprintln!("doorbuster: {error:#}");
        ExitCode::from(2)
    })
}
