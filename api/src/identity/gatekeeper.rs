//! Credentials in, a caller out, before anything else of a request is read.
//!
//! Missing and wrong credentials are both 401 with `WWW-Authenticate` (RFC 9110, section 15.5.2: the
//! request lacks valid credentials); 403 is for valid ones that do not suffice.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use jsonwebtoken::get_current_timestamp;
use sha2::{Digest, Sha256};
use shared::config::{AuthMode, Config};
use shared::domain::{Role, Scope};
use shared::ports::{SecretHash, ServiceKey};

use super::admin::AdminKey;
use super::caller::{Access, Caller};
use super::keys::TokenKeys;
use super::rules::Rule;
use super::tokens::{Expected, TokenError, Verified, verify};
use super::verified::VerifiedTokens;
use crate::problem::{Problem, kind};

/// What stands before an access token that is offered as a subprotocol.
const SUBPROTOCOL: &str = "doorbuster.bearer.";
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Decides who comes in.
pub struct Gatekeeper {
    /// What tokens are signed and checked with.
    pub tokens: TokenKeys,
    /// Who says who they are is believed.
    open: bool,
    expected: Expected,
    verified: VerifiedTokens,
    admin: AdminKey,
    /// Keys of other programs, by hash.
    services: RwLock<HashMap<SecretHash, Service>>,
}

struct Service {
    name: Arc<str>,
    scopes: Arc<[Scope]>,
}

impl Gatekeeper {
    /// A gatekeeper who knows the configured key only, until it is told others.
    pub fn new(config: &Config) -> Self {
        let auth = &config.auth;
        Self {
            tokens: TokenKeys::default(),
            open: auth.mode == AuthMode::Open,
            expected: Expected::new(&auth.issuer, &auth.audience, !auth.jwks.is_empty()),
            verified: VerifiedTokens::default(),
            admin: AdminKey::new(&config.admin),
            services: RwLock::default(),
        }
    }

    /// Lets a request to a route with this rule in, or says why not.
    pub fn admit(
        &self,
        rule: Rule,
        headers: &HeaderMap,
        origin: IpAddr,
    ) -> Result<Access, Problem> {
        let caller = self.caller(headers)?;
        self.check(rule, &caller)?;
        Ok(Access { caller, origin, open: self.open })
    }

    /// Whether who says who they are is believed.
    pub const fn open(&self) -> bool {
        self.open
    }

    /// Takes the keys of other programs anew.
    pub fn set_services(&self, keys: Vec<ServiceKey>) {
        let valid = keys.into_iter().filter(|key| key.revoked_at.is_none());
        let service = |key: ServiceKey| {
            (key.hash, Service { name: key.name.into(), scopes: key.scopes.into() })
        };
        let by_hash = valid.map(service).collect();
        *self.services.write().unwrap_or_else(PoisonError::into_inner) = by_hash;
    }

    /// Credentials that are there must be right, also where none are needed.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let authorization = headers.get(header::AUTHORIZATION);
        match (headers.get(X_API_KEY), authorization, offered(headers)) {
            (None, None, None) => Ok(Caller::Anyone),
            (Some(key), None, None) => self.key(key.as_bytes()),
            (None, Some(value), None) => self.bearer(value),
            (None, None, Some(token)) => self.token(token),
            _ => Err(unauthenticated("Send one access token or one API key, not both.", false)),
        }
    }

    fn key(&self, given: &[u8]) -> Result<Caller, Problem> {
        if self.admin.is(given) {
            return Ok(Caller::Admin);
        }
        // By hash: how long it takes to find says nothing of the key.
        let hash: SecretHash = Sha256::digest(given).into();
        let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
        let found = services.get(&hash).map(|service| Caller::Service {
            name: Arc::clone(&service.name),
            scopes: Arc::clone(&service.scopes),
        });
        found.ok_or_else(|| unauthenticated("This API key is not known.", false))
    }

    fn bearer(&self, value: &HeaderValue) -> Result<Caller, Problem> {
        let bearer = value.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let token = bearer.ok_or_else(|| {
            unauthenticated("Authorization must be `Bearer` and an access token.", false)
        })?;
        self.token(token)
    }

    fn token(&self, token: &str) -> Result<Caller, Problem> {
        let ring = self.tokens.ring();
        if ring.is_empty() {
            let detail = "The keys for tokens are not loaded yet.";
            return Err(Problem::new(kind::UNAVAILABLE, detail));
        }
        let verify = || verify(token, &self.expected, |kid| ring.verifier(kid));
        self.verified
            .get_or(token, &ring, get_current_timestamp(), verify)
            .map(|Verified { user_id, role, .. }| Caller::Person { user_id, role })
            .map_err(|error| {
                if error == TokenError::UnknownKey {
                    self.tokens.miss();
                }
                unauthenticated(error.as_str(), true)
            })
    }

    /// Whether a caller may do what this rule is for.
    pub fn check(&self, rule: Rule, caller: &Caller) -> Result<(), Problem> {
        let allowed = match (rule, caller) {
            (Rule::Nobody, _) => false,
            (Rule::Anyone, _) | (_, Caller::Admin) | (Rule::Buyers(_), Caller::Person { .. }) => {
                true
            }
            (Rule::Buyers(_), Caller::Anyone) if self.open => true,
            (Rule::Buyers(_), Caller::Anyone) => {
                return Err(unauthenticated("Log in first, and send the access token.", false));
            }
            (Rule::Operators(_), Caller::Anyone) => {
                let detail = "Operators send X-Api-Key, or an access token as Authorization.";
                return Err(unauthenticated(detail, false));
            }
            (Rule::Operators(_), Caller::Person { role, .. }) => *role == Role::Operator,
            (Rule::Buyers(scope) | Rule::Operators(scope), Caller::Service { scopes, .. }) => {
                scopes.contains(&scope)
            }
        };
        if allowed { Ok(()) } else { Err(Problem::plain(kind::FORBIDDEN)) }
    }
}

/// The access token among the subprotocols that a WebSocket is offered: pages can set no other header of it.
fn offered(headers: &HeaderMap) -> Option<&str> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offers = offers.filter_map(|offers| offers.to_str().ok()).flat_map(|o| o.split(','));
    offers.find_map(|offer| offer.trim().strip_prefix(SUBPROTOCOL))
}

/// 401 with the schemes that would do (RFC 9110, section 11.6.1; RFC 6750, section 3).
fn unauthenticated(detail: &'static str, invalid_token: bool) -> Problem {
    let schemes = if invalid_token {
        r#"Bearer realm="doorbuster", error="invalid_token", ApiKey realm="doorbuster""#
    } else {
        r#"Bearer realm="doorbuster", ApiKey realm="doorbuster""#
    };
    Problem::new(kind::UNAUTHENTICATED, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(schemes))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, EncodingKey};
    use shared::config::DEFAULT_TOML;

    use super::*;
    use crate::identity::tokens::{Claims, sign};
    use crate::identity::verified::tests::ring;

    #[test]
    fn a_token_that_was_believed_is_not_without_its_key() {
        let config: Config = toml::from_str(DEFAULT_TOML).unwrap();
        let claims = Claims {
            iss: config.auth.issuer.clone(),
            aud: vec![config.auth.audience.clone()],
            sub: "zoe".into(),
            iat: 0,
            nbf: 0,
            exp: get_current_timestamp() + 60,
            jti: String::new(),
            sid: None,
            role: None,
        };
        let key = EncodingKey::from_secret(b"ours");
        let token = sign(&claims, "k", Algorithm::HS256, &key).unwrap();
        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        let headers: HeaderMap = [(header::AUTHORIZATION, value)].into_iter().collect();
        let gatekeeper = Gatekeeper::new(&config);
        let believed = || {
            let access = gatekeeper.admit(Rule::Anyone, &headers, [127, 0, 0, 1].into());
            access.is_ok_and(|access| matches!(access.caller, Caller::Person { .. }))
        };
        for (secret, expected) in [(&b"ours"[..], true), (b"ours", true), (b"others", false)] {
            gatekeeper.tokens.set(ring(secret));
            assert_eq!(believed(), expected);
        }
    }
}
