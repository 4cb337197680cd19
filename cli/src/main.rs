//! The command line of Doorbuster.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

mod audit;
mod dev;
mod health;
mod load;
mod migrate;
mod seed;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use shared::adapters::family;
use shared::config::Config;
use shared::telemetry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sells a limited stock to a crowd.
#[derive(Debug, Parser)]
#[command(name = "doorbuster", version)]
struct Cli {
    /// Configuration file; ./doorbuster.toml is read where it exists
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the configuration in force, secrets hidden, and exit
    #[arg(long)]
    print_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process, with nothing installed and nothing kept
    Dev(dev::Dev),
    /// Bring the database up to date, and make the key of tracking IDs
    Migrate(migrate::Migrate),
    /// Add a demo catalogue; what is there stays as it is
    Seed(seed::Seed),
    /// Check that stock, orders and gate add up; exits 1 if they do not
    Audit(audit::Audit),
    /// Let a crowd loose on a shop and audit what came of it
    #[command(subcommand)]
    Load(load::Load),
    /// Ask one URL; exits 0 if the answer is 2xx
    Health(health::Health),
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let file = cli.config.as_deref();
    if cli.print_config {
        print!("{}", Config::print(file)?);
        return Ok(ExitCode::SUCCESS);
    }
    match cli.command.context("a command is needed: see --help")? {
        // These two talk to a running shop and need no configuration.
        Command::Load(options) => load::run(options),
        Command::Health(options) => health::run(&options),
        command => with_runtime(command, Config::load(file)?),
    }
}

fn with_runtime(command: Command, mut config: Config) -> anyhow::Result<ExitCode> {
    if !matches!(command, Command::Dev(_)) && config.log.level == "info" {
        // A command that ends says on standard output what it did.
        config.log.level = "warn".into();
    }
    telemetry::init_logs(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Dev(options) => dev::run(options, config).await,
            Command::Migrate(options) => migrate::run(&options, &config).await,
            Command::Seed(options) => seed::run(&options, &*family::real(&config)?.ledger).await,
            Command::Audit(options) => audit::run(&options, &family::real(&config)?).await,
            Command::Load(options) => load::run(options),
            Command::Health(options) => health::run(&options),
        }
    })
}
