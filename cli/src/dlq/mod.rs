//! `doorbuster dlq`: dead letters, on the servers alone, like the operators' routes.

mod deal;
mod look;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use shared::config::Config;
use shared::ports::LetterAct;

#[derive(Debug, Subcommand)]
pub(crate) enum Dlq {
    /// List the letters that wait, oldest first
    List(look::List),
    /// Show one letter with its message
    Show(look::Show),
    /// Have purchases settled again, oldest first; exits 1 if any was refused
    Replay(deal::Replay),
    /// Refuse purchases for good; exits 1 if any could not be
    Discard(deal::Deal),
}

pub(crate) async fn run(command: &Dlq, config: &Config) -> Result<ExitCode> {
    match command {
        Dlq::List(options) => look::list(options, config).await,
        Dlq::Show(options) => look::show(options, config).await,
        Dlq::Replay(options) => {
            deal::run(LetterAct::Replay, &options.deal, options.rate, config).await
        }
        Dlq::Discard(options) => {
            deal::run(LetterAct::Discard, options, deal::RATE_DEFAULT, config).await
        }
    }
}
