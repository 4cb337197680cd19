//! `doorbuster migrate`: the tables and the tracking key. Safe to repeat.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use shared::adapters::postgres;
use shared::config::Config;

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Migrate, config: &Config) -> Result<ExitCode> {
    let applied = postgres::migrate(&config.postgres)
        .await
        .context("the database could not be migrated; check postgres.url")?;
    if options.json {
        println!("{}", json!({ "applied": applied }));
    } else if applied.is_empty() {
        println!("the database is up to date");
    } else {
        println!("applied {}", applied.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}
