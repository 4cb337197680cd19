//! Operators: whoever sends the API key as `X-Api-Key`.
//!
//! A missing and a wrong key are both 401 with `WWW-Authenticate` (RFC 9110, section 15.5.2: the
//! request lacks valid credentials); 403 is for valid credentials that do not suffice.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use shared::config::Admin;
use subtle::ConstantTimeEq;
use tracing::warn;

use crate::problem::{Problem, kind};
use crate::state::Shared;

/// A shorter key is warned of.
const SAFE_LEN: usize = 16;

/// The key that operators must send.
pub struct OperatorKey(SecretString);

impl OperatorKey {
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

    fn is(&self, given: &[u8]) -> bool {
        // Takes as long for a key that is nearly right as for one that is not.
        self.0.expose_secret().as_bytes().ct_eq(given).into()
    }
}

/// Proof that the request came with the operators' key. As the first argument of a handler it
/// turns strangers away before anything else is read.
#[derive(Debug)]
pub struct Operator;

impl FromRequestParts<Shared> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        match parts.headers.get("x-api-key") {
            Some(given) if app.operator_key.is(given.as_bytes()) => Ok(Self),
            _ => {
                let scheme = HeaderValue::from_static(r#"ApiKey realm="operators""#);
                let detail = "Operators send their API key as X-Api-Key.";
                Err(Problem::new(kind::UNAUTHENTICATED, detail)
                    .with_header(header::WWW_AUTHENTICATE, scheme))
            }
        }
    }
}
