//! `doorbuster migrate`: the tables and the tracking key. Safe to repeat.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use shared::adapters::postgres::{self, Program};
use shared::config::Config;

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// A user of PostgreSQL that is given what doorbuster-api needs, and no more
    #[arg(long, value_name = "USER")]
    api_role: Option<String>,
    /// A user of PostgreSQL that is given what doorbuster-worker needs, and no more
    #[arg(long, value_name = "USER")]
    worker_role: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Migrate, config: &Config) -> Result<ExitCode> {
    let applied = postgres::migrate(&config.postgres)
        .await
        .context("the database could not be migrated; check postgres.url")?;
    let roles = [(Program::Api, &options.api_role), (Program::Worker, &options.worker_role)];
    for (program, role) in roles {
        if let Some(role) = role {
            postgres::grant(&config.postgres, program, role).await.with_context(|| {
                format!("{role} was given nothing; it must be there, and be another than the owner")
            })?;
        }
    }
    if options.json {
        println!("{}", json!({ "applied": applied }));
    } else if applied.is_empty() {
        println!("the database is up to date");
    } else {
        println!("applied {}", applied.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}
