//! The keys of access tokens: our own from the ledger, where every instance finds the same ones, or those
//! of an issuer outside. Read again and again, so that a rotation needs no restart.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use ed25519_dalek::SigningKey as Ed25519;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretSlice};
use shared::config::TokenAlgorithm;
use shared::domain::Timestamp;
use shared::ports::SigningKey;
use tokio::sync::Notify;

use super::tokens::{Thumbprint, Verifier};

/// A new key signs only when every instance has read it.
const KNOWN_AFTER_MS: i64 = 60_000;

/// The keys as they are now.
#[derive(Default)]
pub struct Ring {
    verifiers: HashMap<String, Verifier>,
    signer: Option<Signer>,
}

/// What signs.
pub struct Signer {
    /// The key's name.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The key.
    pub key: EncodingKey,
}

impl Ring {
    /// A ring of our own keys, newest first; the newest of `algorithm` that everybody knows signs.
    pub fn of(keys: &[SigningKey], algorithm: TokenAlgorithm, now: Timestamp) -> Self {
        let mut ring = Self::default();
        for known in keys {
            if let Some((verifier, _)) = pair(known) {
                ring.verifiers.insert(known.kid.clone(), verifier);
            }
        }
        let of_kind = || keys.iter().filter(|key| key.algorithm == algorithm.as_str());
        let known = |key: &&SigningKey| now.millis() - key.created_at.millis() >= KNOWN_AFTER_MS;
        // The first key of all need not wait for anybody.
        let signs = of_kind().find(known).or(of_kind().next_back());
        ring.signer = signs.and_then(|key| {
            let (verifier, signer) = pair(key)?;
            Some(Signer { kid: key.kid.clone(), algorithm: verifier.algorithm, key: signer })
        });
        ring
    }

    /// A ring that only checks.
    pub fn outside(verifiers: HashMap<String, Verifier>) -> Self {
        Self { verifiers, signer: None }
    }

    /// The key of this name.
    pub fn verifier(&self, kid: &str) -> Option<&Verifier> {
        self.verifiers.get(kid)
    }

    /// Whether this key is among them, by whatever name.
    pub fn has(&self, key: &Thumbprint) -> bool {
        self.verifiers.values().any(|verifier| verifier.thumbprint == *key)
    }

    /// Whether no key is known yet: no token can be judged.
    pub fn is_empty(&self) -> bool {
        self.verifiers.is_empty()
    }

    /// What signs, where anything does.
    pub fn signer(&self) -> Option<&Signer> {
        self.signer.as_ref()
    }
}

/// Both halves of a key; `None` for one of an algorithm that only a newer version knows.
fn pair(key: &SigningKey) -> Option<(Verifier, EncodingKey)> {
    let secret = key.secret.expose_secret();
    match key.algorithm.as_str() {
        "HS256" => Some((
            Verifier::new(Algorithm::HS256, DecodingKey::from_secret(secret), secret),
            EncodingKey::from_secret(secret),
        )),
        "EdDSA" => {
            let public = Ed25519::from_pkcs8_der(secret).ok()?.verifying_key();
            let key = DecodingKey::from_ed_der(public.as_bytes());
            let verifier = Verifier::new(Algorithm::EdDSA, key, public.as_bytes());
            Some((verifier, EncodingKey::from_ed_der(secret)))
        }
        _ => None,
    }
}

/// A new key of this algorithm.
pub fn generate(algorithm: TokenAlgorithm) -> Option<SigningKey> {
    let random: [u8; 32] = rand::random();
    let secret = match algorithm {
        TokenAlgorithm::Hs256 => random.to_vec(),
        TokenAlgorithm::EdDsa => {
            Ed25519::from_bytes(&random).to_pkcs8_der().ok()?.as_bytes().to_vec()
        }
    };
    Some(SigningKey {
        kid: uuid::Uuid::new_v4().simple().to_string(),
        algorithm: algorithm.as_str().to_owned(),
        secret: SecretSlice::from(secret),
        created_at: Timestamp::default(),
        retires_at: None,
    })
}

/// The ring in force.
#[derive(Default)]
pub struct TokenKeys {
    ring: RwLock<Arc<Ring>>,
    missed: Notify,
}

impl TokenKeys {
    /// The ring as it is now.
    pub fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A token named a key that is not in it: it may be a new one.
    pub fn miss(&self) {
        self.missed.notify_one();
    }

    /// Resolves when a key was missed since the last time.
    pub async fn missed(&self) {
        self.missed.notified().await;
    }

    /// Puts another in its place.
    pub fn set(&self, ring: Ring) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}
