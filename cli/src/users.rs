//! `doorbuster users`: accounts. Customers register themselves; operators are made here.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use api::identity::PASSWORD_CHARS;
use api::identity::passwords::Passwords;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::domain::{Role, UserId};
use shared::ports::{Account, Identities, IdentityError};

use crate::who::Who;

/// Longer input is no password.
const INPUT_BYTES_MAX: u64 = 4 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Add an account; the password is asked for, or is the first line of standard input
    Add(Add),
    /// Let nobody log in to an account, and end its sessions
    Disable(Named),
    /// Let its owner log in again
    Enable(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The user's name
    #[arg(value_parser = user)]
    user: UserId,
    /// What they may do
    #[arg(long, default_value = "operator", value_parser = role, value_name = "customer|operator")]
    role: Role,
    #[command(flatten)]
    who: Who,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The user's name
    #[arg(value_parser = user)]
    user: UserId,
    #[command(flatten)]
    who: Who,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn user(name: &str) -> Result<UserId, &'static str> {
    UserId::parse(name).map_err(|error| error.0)
}

fn role(name: &str) -> Result<Role, &'static str> {
    Role::parse(name).ok_or("expected customer or operator")
}

pub(crate) async fn run(command: &Users, identities: &dyn Identities) -> Result<ExitCode> {
    match command {
        Users::Add(options) => add(options, identities).await?,
        Users::Disable(options) => disable(options, true, identities).await?,
        Users::Enable(options) => disable(options, false, identities).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(options: &Add, identities: &dyn Identities) -> Result<()> {
    let Add { user, role, who, json } = options;
    let password = password()?;
    let (least, most) = (PASSWORD_CHARS.start(), PASSWORD_CHARS.end());
    let chars = password.expose_secret().chars().count();
    ensure!(PASSWORD_CHARS.contains(&chars), "a password has {least} to {most} characters");
    let hashed = Passwords::new(1).hash(password).await;
    let password_hash = hashed.map_err(|_| anyhow!("the password could not be hashed"))?;
    let account = Account { user_id: user.clone(), password_hash, role: *role, disabled: false };
    match identities.add_account(&account, &who.actor()).await {
        Ok(()) if *json => {
            println!("{}", json!({ "userId": user.as_str(), "role": role.as_str() }));
        }
        Ok(()) => println!("added {user}, {}", role.as_str()),
        Err(IdentityError::Taken) => bail!("there is an account {user} already"),
        Err(error) => return Err(error).context("check postgres.url"),
    }
    Ok(())
}

async fn disable(options: &Named, disabled: bool, identities: &dyn Identities) -> Result<()> {
    let Named { user, who, json } = options;
    match identities.disable(user, disabled, &who.actor()).await {
        Ok(()) if *json => println!("{}", json!({ "userId": user.as_str(), "disabled": disabled })),
        Ok(()) if disabled => {
            println!("disabled {user}; access tokens that are out count until they run out");
        }
        Ok(()) => println!("enabled {user}"),
        Err(IdentityError::NotFound) => bail!("there is no account {user}"),
        Err(error) => return Err(error).context("check postgres.url"),
    }
    Ok(())
}

/// Never from an argument: those are seen by everybody on the machine, and kept by shells.
fn password() -> Result<SecretString> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(rpassword::prompt_password("Password: ")?.into());
    }
    let mut line = String::new();
    stdin.lock().take(INPUT_BYTES_MAX).read_line(&mut line).context("no password was given")?;
    Ok(line.trim_end_matches(['\r', '\n']).into())
}
