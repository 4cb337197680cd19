//! `doorbuster keys`: the keys of other programs, and what access tokens are signed with.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::json;
use sha2::{Digest, Sha256};
use shared::config::Config;
use shared::domain::Scope;
use shared::ports::{Identities, IdentityError, ServiceKey};

use crate::who::Who;

/// Beyond its end, tokens signed with an old key are believed for as long as one may live, and this: every
/// instance has read the new key by then.
const OVERLAP_S: u32 = 120;
const NAME_BYTES_MAX: usize = 64;

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key for another program; it is shown this once
    Create(Create),
    /// List the keys of other programs
    List(List),
    /// Revoke a key; it counts for nothing two seconds later
    Revoke(Revoke),
    /// Make a new signing key for access tokens; the old ones count until their last token has run out
    Rotate(Rotate),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Whose key it is, such as warehouse
    name: String,
    /// What it may do; may be given several times
    #[arg(long = "scope", required = true, value_parser = scope, value_name = SCOPES)]
    scopes: Vec<Scope>,
    #[command(flatten)]
    who: Who,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Whose key
    name: String,
    #[command(flatten)]
    who: Who,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    who: Who,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const SCOPES: &str = "purchases|orders|products|sales|dead-letters|operations";

fn scope(name: &str) -> Result<Scope, String> {
    Scope::parse(name).ok_or_else(|| format!("expected one of {}", SCOPES.replace('|', ", ")))
}

pub(crate) async fn run(
    command: &Keys,
    config: &Config,
    identities: &dyn Identities,
) -> Result<ExitCode> {
    match command {
        Keys::Create(options) => create(options, identities).await?,
        Keys::List(options) => list(options, identities).await?,
        Keys::Revoke(options) => revoke(options, identities).await?,
        Keys::Rotate(options) => rotate(options, config, identities).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(options: &Create, identities: &dyn Identities) -> Result<()> {
    let Create { name, scopes, who, json } = options;
    let printable = name.bytes().all(|b| b.is_ascii_graphic());
    ensure!(
        printable && (1..=NAME_BYTES_MAX).contains(&name.len()),
        "a name has 1 to {NAME_BYTES_MAX} visible ASCII characters"
    );
    // 256 random bits; what begins with db_ is found by scanners of secrets.
    let key = format!("db_{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let hash = Sha256::digest(&key).into();
    let id = match identities.add_service_key(name, &hash, scopes, &who.actor()).await {
        Ok(id) => id,
        Err(IdentityError::Taken) => bail!("{name} has a key already; revoke it first"),
        Err(error) => return Err(error).context("check postgres.url"),
    };
    if *json {
        println!("{}", json!({ "id": id, "name": name, "key": key, "scopes": names(scopes) }));
    } else {
        println!("{key}");
        eprintln!("this is the only time that it is shown; send it as X-Api-Key");
    }
    Ok(())
}

async fn list(options: &List, identities: &dyn Identities) -> Result<()> {
    let keys = identities.service_keys().await.context("check postgres.url")?;
    if options.json {
        let view = |key: &ServiceKey| {
            json!({
                "id": key.id,
                "name": key.name,
                "scopes": names(&key.scopes),
                "createdAt": key.created_at.to_string(),
                "revokedAt": key.revoked_at.map(|at| at.to_string()),
            })
        };
        println!("{}", json!({ "keys": keys.iter().map(view).collect::<Vec<_>>() }));
        return Ok(());
    }
    let mut table = format!("{:<20} {:<50} {:<26} {}\n", "NAME", "SCOPES", "CREATED", "REVOKED");
    for key in &keys {
        let revoked = key.revoked_at.map_or_else(String::new, |at| at.to_string());
        let (scopes, created) = (names(&key.scopes).join(","), key.created_at.to_string());
        writeln!(table, "{:<20} {scopes:<50} {created:<26} {revoked}", key.name)?;
    }
    print!("{table}");
    Ok(())
}

async fn revoke(options: &Revoke, identities: &dyn Identities) -> Result<()> {
    let Revoke { name, who, json } = options;
    match identities.revoke_service_key(name, &who.actor()).await {
        Ok(()) if *json => println!("{}", json!({ "revoked": name })),
        Ok(()) => println!("revoked the key of {name}"),
        Err(IdentityError::NotFound) => bail!("{name} has no key; see doorbuster keys list"),
        Err(error) => return Err(error).context("check postgres.url"),
    }
    Ok(())
}

async fn rotate(options: &Rotate, config: &Config, identities: &dyn Identities) -> Result<()> {
    ensure!(config.auth.jwks.is_empty(), "tokens are signed by the issuer that auth.jwks names");
    let algorithm = config.auth.algorithm;
    let key = api::identity::keys::generate(algorithm).context("no key could be made")?;
    let overlap_s = config.auth.access_seconds.get().saturating_add(OVERLAP_S);
    let added = identities.add_signing_key(&key, false, overlap_s, &options.who.actor()).await;
    added.context("check postgres.url")?;
    if options.json {
        let algorithm = algorithm.as_str();
        println!(
            "{}",
            json!({ "kid": key.kid, "algorithm": algorithm, "overlapSeconds": overlap_s })
        );
    } else {
        println!("{} ({}) signs from a minute on", key.kid, algorithm.as_str());
        println!("tokens of the keys before it count for {overlap_s} more seconds");
    }
    Ok(())
}

fn names(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}
