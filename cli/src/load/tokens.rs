//! `doorbuster load tokens`: access tokens for the buyers of a load, where the shop asks for them.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use api::identity::keys::Ring;
use api::identity::tokens::{Claims, sign};
use clap::Args;
use shared::adapters::postgres::PostgresLedger;
use shared::config::Config;
use shared::ports::{Clock, Identities, SystemClock};

#[derive(Debug, Args)]
pub(crate) struct Tokens {
    /// How many buyers; each may buy as often as the limits of a user allow
    #[arg(long, default_value_t = 20_000)]
    buyers: u32,
    /// For how long the tokens are good
    #[arg(long, value_name = "S", default_value_t = 7_200)]
    seconds: u64,
}

/// Prints a line for each buyer: the name, a blank, the token. Signed with the key that is in the ledger,
/// which an API has made when it was started first.
pub(crate) fn run(options: &Tokens, config: Option<&Path>) -> Result<ExitCode> {
    let config = Config::load(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let keys = runtime.block_on(async {
        let ledger = PostgresLedger::connect(&config.postgres).context("check postgres.url")?;
        ledger.signing_keys().await.context("check postgres.url")
    })?;
    ensure!(!keys.is_empty(), "there is no signing key yet: start doorbuster-api once");
    let now = SystemClock.now();
    let ring = Ring::of(&keys, config.auth.algorithm, now);
    let signer = ring.signer().context("there is no signing key of auth.algorithm")?;
    let now_s = u64::try_from(now.millis() / 1_000)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for number in 0..options.buyers {
        let user = format!("load-{number}");
        let claims = Claims {
            iss: config.auth.issuer.clone(),
            aud: vec![config.auth.audience.clone()],
            sub: user.clone(),
            iat: now_s,
            nbf: now_s,
            exp: now_s + options.seconds,
            jti: number.to_string(),
            sid: None,
            role: None,
        };
        let token = sign(&claims, &signer.kid, signer.algorithm, &signer.key)?;
        writeln!(out, "{user} {token}")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
