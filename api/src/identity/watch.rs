//! Keeps the keys that the gatekeeper knows in line with the ledger, or with the issuer outside.

use std::sync::Arc;
use std::time::Duration;

use shared::config::Auth;
use shared::domain::Actor;
use shared::ports::{Clock, Identities, IdentityError};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use super::gatekeeper::Gatekeeper;
use super::issuer::{self, Source};
use super::keys::{Ring, generate};

/// A key that was made or revoked counts everywhere within this time.
const EVERY: Duration = Duration::from_secs(2);
/// An issuer's keys are asked for again after this time, or [`EVERY`] until they were had once.
const ISSUER_EVERY: Duration = Duration::from_secs(300);
/// Sooner when a token names a key that is not known, but not more often than this: anybody may write such
/// a token.
const ISSUER_AGAIN: Duration = Duration::from_secs(10);

/// Follows the keys for as long as the program runs. While they cannot be read, the last ones count.
pub async fn watch(
    gatekeeper: Arc<Gatekeeper>,
    identities: Arc<dyn Identities>,
    clock: Arc<dyn Clock>,
    auth: Auth,
) {
    let own = own_keys(&gatekeeper, &*identities, &*clock, &auth);
    match Source::parse(&auth.jwks) {
        None => own.await,
        Some(source) => {
            tokio::join!(own, issuers_keys(&gatekeeper, &source));
        }
    }
}

async fn own_keys(
    gatekeeper: &Gatekeeper,
    identities: &dyn Identities,
    clock: &dyn Clock,
    auth: &Auth,
) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        tick.tick().await;
        match read(gatekeeper, identities, clock, auth).await {
            Ok(()) if std::mem::take(&mut away) => info!("keys can be read again"),
            Err(error) if !std::mem::replace(&mut away, true) => {
                warn!(%error, "keys cannot be read: those that are known go on counting");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

async fn read(
    gatekeeper: &Gatekeeper,
    identities: &dyn Identities,
    clock: &dyn Clock,
    auth: &Auth,
) -> Result<(), IdentityError> {
    gatekeeper.set_services(identities.service_keys().await?);
    if !auth.jwks.is_empty() {
        return Ok(());
    }
    let mut keys = identities.signing_keys().await?;
    if !keys.iter().any(|key| key.algorithm == auth.algorithm.as_str()) {
        // The first instance makes the first key; the others find it.
        if let Some(key) = generate(auth.algorithm) {
            identities.add_signing_key(&key, true, 0, &Actor::local("api")).await?;
        }
        keys = identities.signing_keys().await?;
    }
    gatekeeper.tokens.set(Ring::of(&keys, auth.algorithm, clock.now()));
    Ok(())
}

async fn issuers_keys(gatekeeper: &Gatekeeper, source: &Source) {
    let mut known = false;
    loop {
        match issuer::keys(source).await {
            Ok(keys) => {
                known = true;
                gatekeeper.tokens.set(Ring::outside(keys));
            }
            Err(error) => warn!(%source, error, "the issuer's keys cannot be read"),
        }
        let missed = async {
            sleep(ISSUER_AGAIN).await;
            gatekeeper.tokens.missed().await;
        };
        tokio::select! {
            () = sleep(if known { ISSUER_EVERY } else { EVERY }) => {}
            () = missed => {}
        }
    }
}
