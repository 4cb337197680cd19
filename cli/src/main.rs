//! The command line of Doorbuster.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

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

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Load(options) => load::run(options),
        Command::Health(options) => health::run(&options),
    }
}
