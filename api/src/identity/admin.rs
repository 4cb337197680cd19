//! The operators' key of the configuration: all that a new shop has before its first accounts and
//! service keys.

use secrecy::{ExposeSecret, SecretString};
use shared::config::Admin;
use subtle::ConstantTimeEq;
use tracing::warn;

/// A shorter key is warned of.
const SAFE_LEN: usize = 16;

/// The key that allows everything.
pub struct AdminKey(SecretString);

impl AdminKey {
    /// The configured key; where there is none, one for this run, shown once in the log.
    pub fn new(config: &Admin) -> Self {
        let configured = config.api_key.expose_secret();
        if !configured.is_empty() {
            if configured.len() < SAFE_LEN {
                warn!(
                    "admin.api_key is short enough to be guessed: use {SAFE_LEN} characters or more"
                );
            }
            return Self(config.api_key.clone());
        }
        let key = format!("{:032x}", rand::random::<u128>());
        warn!(api_key = key, "admin.api_key is empty: operators use this key until the next start");
        Self(key.into())
    }

    /// Takes as long for a key that is nearly right as for one that is not.
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.expose_secret().as_bytes().ct_eq(given).into()
    }
}
