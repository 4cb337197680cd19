//! The keys of an issuer outside: a JSON Web Key Set (RFC 7517) from a file or over https.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::tokens::Verifier;

/// A larger set is not read.
const BYTES_MAX: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On this machine.
    File(PathBuf),
    /// Over https, or http to this machine.
    Url(String),
}

impl Source {
    /// What the configuration names; `None` where it names nothing.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" => None,
            url if url.contains("://") => Some(Self::Url(url.to_owned())),
            path => Some(Self::File(path.into())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(&without_secrets(url)),
        }
    }
}

/// A URL without what may be a secret in it: user, password and query.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// The keys of the set by name.
pub async fn keys(source: &Source) -> Result<HashMap<String, Verifier>, String> {
    let source = source.clone();
    let text = tokio::task::spawn_blocking(move || read(&source));
    parse(&text.await.map_err(|error| error.to_string())??)
}

fn read(source: &Source) -> Result<String, String> {
    match source {
        Source::File(path) => std::fs::read_to_string(path).map_err(|error| error.to_string()),
        Source::Url(url) => {
            let agent = ureq::Agent::config_builder()
                .timeout_global(Some(PATIENCE))
                .max_redirects(0)
                .build()
                .new_agent();
            let mut answer = agent.get(url).call().map_err(|error| error.to_string())?;
            let body = answer.body_mut().with_config().limit(BYTES_MAX).read_to_string();
            body.map_err(|error| error.to_string())
        }
    }
}

/// What can be used of a set. Keys of kinds that are not known here are left out (RFC 7517, section 5).
fn parse(text: &str) -> Result<HashMap<String, Verifier>, String> {
    let set: JwkSet = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let keys: HashMap<_, _> = set.keys.iter().filter_map(verifier).collect();
    if keys.is_empty() { Err("there is no key in it that could be used".into()) } else { Ok(keys) }
}

fn verifier(jwk: &Jwk) -> Option<(String, Verifier)> {
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let kid = jwk.common.key_id.clone()?;
    let algorithm = algorithm(jwk)?;
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let material = serde_json::to_vec(&jwk.algorithm).ok()?;
    signs.then(|| (kid, Verifier::new(algorithm, key, &material)))
}

/// The one algorithm of a key. A secret that a set makes public is none (RFC 8725, section 2.1).
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let named = jwk.common.key_algorithm;
    match (&jwk.algorithm, named) {
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Some(Algorithm::RS256),
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS384)) => Some(Algorithm::RS384),
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS512)) => Some(Algorithm::RS512),
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Some(Algorithm::PS256),
        (AlgorithmParameters::EllipticCurve(key), None | Some(KeyAlgorithm::ES256))
            if key.curve == EllipticCurve::P256 =>
        {
            Some(Algorithm::ES256)
        }
        (AlgorithmParameters::EllipticCurve(key), None | Some(KeyAlgorithm::ES384))
            if key.curve == EllipticCurve::P384 =>
        {
            Some(Algorithm::ES384)
        }
        (AlgorithmParameters::OctetKeyPair(key), None | Some(KeyAlgorithm::EdDSA))
            if key.curve == EllipticCurve::Ed25519 =>
        {
            Some(Algorithm::EdDSA)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_without_its_secrets() {
        let source = Source::parse("https://ann:secret@id.example/keys?token=1").unwrap();
        assert_eq!(source.to_string(), "https://id.example/keys");
    }

    #[test]
    fn of_a_set_only_public_keys_for_signatures_count() {
        // The keys of RFC 7517, appendix A.1, and RFC 8037, appendix A.2.
        let set = r#"{"keys":[
            {"kty":"EC","crv":"P-256","kid":"ec",
             "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
             "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
            {"kty":"OKP","crv":"Ed25519","kid":"ed",
             "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty":"EC","crv":"P-256","kid":"for-encryption","use":"enc",
             "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
             "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
            {"kty":"oct","kid":"secret","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}]}"#;
        let keys = parse(set).unwrap();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys["ec"].algorithm, Algorithm::ES256);
        assert_eq!(keys["ed"].algorithm, Algorithm::EdDSA);
        assert!(parse(r#"{"keys":[]}"#).is_err() && parse("[]").is_err());
    }
}
