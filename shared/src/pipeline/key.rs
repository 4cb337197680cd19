//! The tracking key: fetched once, shared by everything that issues or checks tracking IDs.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use secrecy::ExposeSecret;
use tracing::{info, warn};

use crate::config;
use crate::domain::room::Seal;
use crate::domain::{Minter, TrackingKey};
use crate::ports::Ledger;

/// A place for what the key makes, empty until it is known.
#[derive(Debug, Default)]
pub struct KeyRing(OnceLock<(Minter, Seal)>);

impl KeyRing {
    /// A ring with the key that overrides the ledger's, if one is configured.
    pub fn from_config(config: &config::Tracking) -> Self {
        let ring = Self::default();
        let secret = config.secret.expose_secret();
        if !secret.is_empty() {
            ring.set(TrackingKey::from_secret(secret));
        }
        ring
    }

    /// The minter, once the key is known.
    pub fn minter(&self) -> Option<&Minter> {
        self.0.get().map(|(minter, _)| minter)
    }

    /// What signs tickets and passes, once the key is known.
    pub fn seal(&self) -> Option<&Seal> {
        self.0.get().map(|(_, seal)| seal)
    }

    /// Sets the key; the first one stays.
    pub fn set(&self, key: TrackingKey) {
        let seal = Seal::new(&key);
        // The node part only has to differ between processes.
        let _ = self.0.set((Minter::new(key, fastrand::u32(..)), seal));
    }

    /// Asks the ledger until it answers. Returns at once when the key is already known.
    pub async fn fetch(self: &Arc<Self>, ledger: &dyn Ledger) {
        let mut pause = Duration::from_millis(50);
        while self.minter().is_none() {
            match ledger.tracking_key().await {
                Ok(key) => {
                    self.set(key);
                    info!("tracking key loaded");
                }
                Err(error) => {
                    warn!(%error, "waiting for the ledger's tracking key");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
    }
}
