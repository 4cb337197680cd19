//! `doorbuster load`: puts a shop under load.

mod compare;
mod knee;
mod options;
mod overload;
mod run;
mod stampede;
mod summary;
mod tokens;
mod waiting_room;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use crate::limits;

/// What kind of load.
#[derive(Debug, Subcommand)]
pub(crate) enum Load {
    /// N buyers for a limited stock; exits 1 if anything is lost, oversold or doesn't add up
    Stampede(stampede::Stampede),
    /// Measures one scenario; exits 1 if anything is lost or fails
    Run(run::Run),
    /// Searches the highest rate that the shop sustains, step by step
    Knee(knee::Knee),
    /// Offers far more than the shop can take, then little, and waits until it has recovered
    Overload(Box<overload::Overload>),
    /// Offers the same loads to the synchronous and the asynchronous way, and makes a page about it
    Compare(Box<compare::Compare>),
    /// Puts rounds of measurements in a folder into tables: medians, shares of the limits, costs
    Summary(summary::Options),
    /// A crowd that waits in line, and how soon it learns that the line or the stock moved
    WaitingRoom(waiting_room::WaitingRoom),
    /// Buyers with access tokens for `--buyers`, signed with the ledger's key: for a shop with auth.mode jwt
    Tokens(tokens::Tokens),
    /// What each part of the pipeline can do alone on this machine: HTTP, RabbitMQ, Redis, PostgreSQL
    Limits(limits::Options),
    /// The server that `limits` asks
    #[command(name = limits::ECHO_SERVER, hide = true)]
    EchoServer,
}

/// Runs the load; success only if everything is as it must be.
pub(crate) fn run(load: Load, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match load {
        Load::Stampede(options) => stampede::run(options),
        Load::Run(options) => run::run(&options),
        Load::Knee(options) => knee::run(&options),
        Load::Overload(options) => overload::run(&options),
        Load::Compare(options) => compare::run(&options),
        Load::Summary(options) => summary::run(&options),
        Load::WaitingRoom(options) => waiting_room::run(options),
        Load::Tokens(options) => tokens::run(&options, config),
        Load::Limits(options) => limits::run(&options, config),
        Load::EchoServer => limits::serve_echo(),
    }
}

/// One thread: the other cores belong to the system under test.
fn on_one_thread<T, E>(work: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work)?)
}

fn print(report: &(impl Display + Serialize), json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

fn exit(is_ok: bool) -> ExitCode {
    if is_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
