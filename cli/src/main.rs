//! The command line of Doorbuster.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is where a command answers")]

mod audit;
mod demo;
mod dev;
mod dlq;
mod health;
mod keys;
mod limits;
mod load;
mod migrate;
mod realign;
mod seed;
mod users;
mod who;

use std::path::{Path, PathBuf};
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
    /// After the database was restored to an earlier point: raise its versions above all that was announced
    Realign(realign::Realign),
    /// Look at dead letters, replay and discard them
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Make, list and revoke keys of other programs; rotate what access tokens are signed with
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Add accounts, disable and enable them
    #[command(subcommand)]
    Users(users::Users),
    /// Let a crowd loose on a shop and audit what came of it
    #[command(subcommand)]
    Load(load::Load),
    /// Ask one URL; exits 0 if the answer is 2xx
    Health(health::Health),
}

/// Exit codes: 0 all is well, 1 something was found, 2 the command itself could not be done.
fn main() -> ExitCode {
    run(Cli::parse()).unwrap_or_else(|error| {
        eprintln!("doorbuster: {error:#}");
        ExitCode::from(2)
    })
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let file = cli.config.as_deref();
    if cli.print_config {
        print!("{}", Config::print(file)?);
        return Ok(ExitCode::SUCCESS);
    }
    match cli.command.context("a command is needed: see --help")? {
        Command::Dev(options) => {
            with_runtime(Config::load(file)?, async |config| dev::run(options, config).await)
        }
        Command::Migrate(options) => {
            quietly(file, async |config| migrate::run(&options, &config).await)
        }
        Command::Seed(options) => {
            quietly(file, async |config| seed::run(&options, &*family::real(&config)?.ledger).await)
        }
        Command::Audit(options) => {
            quietly(file, async |config| audit::run(&options, &family::real(&config)?).await)
        }
        Command::Realign(options) => {
            quietly(file, async |config| realign::run(&options, &config).await)
        }
        Command::Dlq(command) => quietly(file, async |config| dlq::run(&command, &config).await),
        Command::Keys(command) => quietly(file, async |config| {
            keys::run(&command, &config, &*family::real(&config)?.identities).await
        }),
        Command::Users(command) => quietly(file, async |config| {
            users::run(&command, &*family::real(&config)?.identities).await
        }),
        Command::Load(options) => load::run(options, file),
        // Talks to a running shop and needs no configuration.
        Command::Health(options) => health::run(&options),
    }
}

/// Runs a command that says on standard output what it did: only warnings are logged.
fn quietly(
    file: Option<&Path>,
    work: impl AsyncFnOnce(Config) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(file)?;
    config.log.level = "warn".into();
    with_runtime(config, work)
}

fn with_runtime(
    config: Config,
    work: impl AsyncFnOnce(Config) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    telemetry::init_logs(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(work(config))
}
