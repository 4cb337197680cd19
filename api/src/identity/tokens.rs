//! Access tokens: JSON Web Tokens as RFC 9068 profiles them, checked as RFC 8725 asks.

use std::collections::HashMap;

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::domain::{Role, UserId};
use uuid::Uuid;

/// A longer token is not read at all.
const BYTES_MAX: usize = 4 * 1024;
/// How far clocks may differ.
const LEEWAY_S: u64 = 30;
/// RFC 9068, section 2.1; that an ID token is no access token is seen here.
const TYPE: &str = "at+jwt";
/// The algorithms that are trusted at all (RFC 8725, section 3.1); of each key only one.
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::HS256,
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
];

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    #[serde(with = "one_or_many")]
    pub aud: Vec<String>,
    /// Whose it is.
    pub sub: String,
    /// When it was issued, in seconds since the epoch.
    #[serde(default)]
    pub iat: u64,
    /// From when on it is good.
    #[serde(default)]
    pub nbf: u64,
    /// Until when.
    pub exp: u64,
    /// Its number.
    #[serde(default)]
    pub jti: String,
    /// The login that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// `customer` where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// What is used of a token once it is believed; the rest may be of any shape.
#[derive(Deserialize)]
struct Named {
    sub: String,
    /// In seconds, which may have a fraction (RFC 7519, section 2).
    exp: f64,
    #[serde(default)]
    role: Option<serde_json::Value>,
}

/// Whom a token names, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whose it is.
    pub user_id: UserId,
    /// What they are to the shop.
    pub role: Role,
    /// Good until this second since the epoch.
    pub valid_until_s: u64,
    /// The thumbprint of the key that signed it.
    pub key: Thumbprint,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// It is none, or of another kind.
    Malformed,
    /// Nobody here knows the key.
    UnknownKey,
    /// Its signature is not that of its key.
    Signature,
    /// It has expired, or is not good yet.
    Time,
    /// It is for somebody else, or from somebody else.
    Claims,
}

impl TokenError {
    /// What its sender is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "The access token cannot be read.",
            Self::UnknownKey => "The access token is signed with a key that is not known here.",
            Self::Signature => "The access token's signature is wrong.",
            Self::Time => "The access token has expired, or is not valid yet.",
            Self::Claims => "The access token was not issued for this shop.",
        }
    }
}

/// What is asked of a token.
pub struct Expected {
    /// Its issuer is outside, calls the type `JWT` and may have roles of its own.
    outside: bool,
    /// The same of every algorithm; made once, for it is more work than reading a token.
    of: HashMap<Algorithm, Validation>,
}

impl Expected {
    /// Tokens that `issuer` issued for `audience`, and whether that is somebody outside.
    pub fn new(issuer: &str, audience: &str, outside: bool) -> Self {
        let rules = |algorithm| {
            let mut rules = Validation::new(algorithm);
            rules.leeway = LEEWAY_S;
            rules.validate_nbf = true;
            rules.set_issuer(&[issuer]);
            rules.set_audience(&[audience]);
            rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
            (algorithm, rules)
        };
        Self { outside, of: ALGORITHMS.into_iter().map(rules).collect() }
    }
}

/// What tells a key from others, whatever their names.
pub type Thumbprint = [u8; 32];

/// A key that tokens are checked with, for one algorithm only: what a token's header says of it is
/// compared, never followed.
pub struct Verifier {
    /// The one algorithm.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
    /// The same for the same key and algorithm.
    pub thumbprint: Thumbprint,
}

impl Verifier {
    /// A key that was made of `material`.
    pub fn new(algorithm: Algorithm, key: DecodingKey, material: &[u8]) -> Self {
        let named = Sha256::new().chain_update(format!("{algorithm:?}:"));
        Self { algorithm, key, thumbprint: named.chain_update(material).finalize().into() }
    }
}

/// Signs `claims`.
pub fn sign(
    claims: &Claims,
    kid: &str,
    algorithm: Algorithm,
    key: &EncodingKey,
) -> Result<String, jsonwebtoken::errors::Error> {
    let mut header = Header::new(algorithm);
    header.typ = Some(TYPE.into());
    header.kid = Some(kid.into());
    jsonwebtoken::encode(&header, claims, key)
}

/// Checks a token with the key that `find` has under its name.
pub fn verify<'a>(
    token: &str,
    expected: &Expected,
    find: impl FnOnce(&str) -> Option<&'a Verifier>,
) -> Result<Verified, TokenError> {
    if token.len() > BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
    let typed = header.typ.as_deref().is_some_and(|typ| {
        let bare = typ.strip_prefix("application/").unwrap_or(typ);
        bare.eq_ignore_ascii_case(TYPE) || (expected.outside && bare.eq_ignore_ascii_case("JWT"))
    });
    // Nothing that a header could demand beyond the ordinary is understood here (RFC 7515, 4.1.11).
    if !typed || header.crit.is_some() {
        return Err(TokenError::Malformed);
    }
    let verifier = find(header.kid.as_deref().unwrap_or_default()).ok_or(TokenError::UnknownKey)?;
    let rules = expected.of.get(&verifier.algorithm).ok_or(TokenError::UnknownKey)?;
    let Named { sub, exp, role } =
        decode::<Named>(token, &verifier.key, rules).map_err(|error| why(&error))?.claims;
    let user_id = UserId::parse(sub).map_err(|_| TokenError::Claims)?;
    let role = match role.as_ref().map(|role| role.as_str().and_then(Role::parse)) {
        None => Role::Customer,
        Some(Some(role)) => role,
        Some(None) if expected.outside => Role::Customer,
        Some(None) => return Err(TokenError::Claims),
    };
    let valid_until_s = (exp as u64).saturating_add(LEEWAY_S);
    Ok(Verified { user_id, role, valid_until_s, key: verifier.thumbprint })
}

fn why(error: &jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind as Kind;
    match error.kind() {
        Kind::ExpiredSignature | Kind::ImmatureSignature => TokenError::Time,
        Kind::InvalidSignature | Kind::InvalidAlgorithm => TokenError::Signature,
        Kind::InvalidIssuer | Kind::InvalidAudience | Kind::MissingRequiredClaim(_) => {
            TokenError::Claims
        }
        _ => TokenError::Malformed,
    }
}

/// `aud` is a text or a list of them (RFC 7519, section 4.1.3).
mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
        Ok(match OneOrMany::deserialize(d)? {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        })
    }

    pub(super) fn serialize<S: Serializer>(many: &[String], s: S) -> Result<S::Ok, S::Error> {
        match many {
            [one] => one.serialize(s),
            many => many.serialize(s),
        }
    }
}

#[cfg(test)]
mod tests;
