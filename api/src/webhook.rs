//! Signatures of what others tell us: `t=SECONDS,v1=HEX`, where `v1` is the HMAC-SHA256 of `t`, a full stop
//! and what is told, under a secret that both share. The time is signed too, so that an old message cannot
//! be sent again later.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use shared::config::Payments;
use shared::domain::Timestamp;
use std::time::Duration;
use tracing::info;

/// Checks what is signed with one secret.
pub struct Signature {
    secret: SecretString,
    tolerance: Duration,
}

/// Why it is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// Not of the form `t=SECONDS,v1=HEX`.
    #[error("the signature must be t=SECONDS,v1=HEX")]
    Malformed,
    /// Signed too long ago, or in the future.
    #[error("the signature is too old, or the clocks differ")]
    Stale,
    /// Not signed with our secret, or not this body.
    #[error("the signature does not match")]
    Wrong,
}

impl Signature {
    /// Signatures with `secret`, of which the time may be `tolerance` away.
    pub fn new(secret: SecretString, tolerance: Duration) -> Self {
        Self { secret, tolerance }
    }

    /// Those of webhooks; `None` where no secret is configured, and nothing can be believed.
    pub fn of_webhooks(config: &Payments) -> Option<Self> {
        if config.webhook_secret.expose_secret().is_empty() {
            info!("payments.webhook_secret is empty: no webhook is believed until there is one");
            return None;
        }
        Some(Self::new(config.webhook_secret.clone(), config.webhook_tolerance))
    }

    /// Checks the signature of `body`, received at `now`. A header may carry several `v1`, of which
    /// one has to match: a provider that changes its secret signs with both for a while.
    pub fn check(&self, header: &str, body: &[u8], now: Timestamp) -> Result<(), BadSignature> {
        let mut at = None;
        let mut given = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=').ok_or(BadSignature::Malformed)? {
                ("t", seconds) => at = seconds.parse::<i64>().ok().map(|number| (number, seconds)),
                ("v1", hex) => given.push(bytes(hex).ok_or(BadSignature::Malformed)?),
                _ => {}
            }
        }
        let (seconds, text) = at.filter(|_| !given.is_empty()).ok_or(BadSignature::Malformed)?;
        let apart = (now.millis() / 1_000).abs_diff(seconds);
        if apart > self.tolerance.as_secs() {
            return Err(BadSignature::Stale);
        }
        // In constant time.
        let verify = |mac: Hmac<Sha256>, given: &[u8]| mac.verify_slice(given).is_ok();
        let matches = |given: &Vec<u8>| self.mac(text, body).is_some_and(|mac| verify(mac, given));
        if given.iter().any(matches) { Ok(()) } else { Err(BadSignature::Wrong) }
    }

    /// Always there: HMAC takes keys of any length.
    fn mac(&self, seconds: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
        let secret = self.secret.expose_secret().as_bytes();
        let mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        Some(mac.chain_update(seconds).chain_update(b".").chain_update(body))
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.is_empty() || !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn secret() -> Signature {
        Signature { secret: "s3cret".into(), tolerance: Duration::from_secs(300) }
    }

    fn signed(at: i64, body: &str) -> String {
        let mac = secret().mac(&at.to_string(), body.as_bytes()).unwrap();
        format!("t={at},v1={:x}", mac.finalize().into_bytes())
    }

    fn check(header: &str, body: &str) -> Result<(), BadSignature> {
        secret().check(header, body.as_bytes(), Timestamp::from_millis(NOW * 1_000))
    }

    #[test]
    fn what_is_signed_with_the_secret_is_believed() {
        assert_eq!(check(&signed(NOW, "{}"), "{}"), Ok(()));
        assert_eq!(check(&format!("v1=00,{}", signed(NOW - 300, "{}")), "{}"), Ok(()));
        // By hand: printf '1700000000.{}' | openssl dgst -sha256 -hmac s3cret
        let hand = "t=1700000000,v1=\
                    97926816e98fbb41ccb1673225ff29a2f35369099990e1b1561651e7bd097ebf";
        assert_eq!(check(hand, "{}"), Ok(()));
    }

    #[test]
    fn another_body_time_or_secret_is_not() {
        assert_eq!(check(&signed(NOW, "{}"), "{ }"), Err(BadSignature::Wrong));
        assert_eq!(check(&signed(NOW - 301, "{}"), "{}"), Err(BadSignature::Stale));
        assert_eq!(check(&signed(NOW + 301, "{}"), "{}"), Err(BadSignature::Stale));
        let moved = signed(NOW - 10, "{}").replace(&(NOW - 10).to_string(), &NOW.to_string());
        assert_eq!(check(&moved, "{}"), Err(BadSignature::Wrong));
    }

    #[test]
    fn a_header_of_another_form_says_what_is_expected() {
        for header in ["", "v1=00", "t=1", "t=x,v1=00", "t=1700000000,v1=0", "abc"] {
            assert_eq!(check(header, "{}"), Err(BadSignature::Malformed), "{header}");
        }
    }
}
