//! The hook for somebody who tells people from programs: a CAPTCHA, a proof of work, a bot detector. Whoever
//! that is signs a verdict for the buyer, and a purchase must bring it.

use axum::http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use shared::config::Auth;
use shared::domain::{Timestamp, UserId};

use crate::identity::{Access, Caller};
use crate::problem::{Problem, kind};
use crate::webhook::Signature;

/// Where the verdict stands: `t=SECONDS,v1=HEX`, where `v1` is the HMAC-SHA256 of `t`, a full stop and the
/// buyer's name.
const X_CHALLENGE_VERDICT: HeaderName = HeaderName::from_static("x-challenge-verdict");

/// Asks for verdicts, where there is a secret that they are signed with.
pub struct Challenge(Option<Signature>);

impl Challenge {
    /// What the configuration asks for.
    pub fn new(auth: &Auth) -> Self {
        let secret: &SecretString = &auth.challenge_secret;
        let asked = !secret.expose_secret().is_empty();
        Self(asked.then(|| Signature::new(secret.clone(), auth.challenge_tolerance)))
    }

    /// The verdict that a request brings, where one is asked for.
    pub fn verdict(&self, headers: &HeaderMap) -> Option<Box<str>> {
        self.0.as_ref()?;
        headers.get(X_CHALLENGE_VERDICT)?.to_str().ok().map(Into::into)
    }

    /// Whether `user` may buy: a verdict is good for its buyer and its time. Services and operators need none.
    pub fn check(
        &self,
        access: &Access,
        verdict: Option<&str>,
        user: &UserId,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<(), Problem> {
        let (Some(signature), Caller::Anyone | Caller::Person { .. }) = (&self.0, &access.caller)
        else {
            return Ok(());
        };
        let checked = signature.check(verdict.unwrap_or_default(), user.as_str().as_bytes(), now());
        checked.map_err(|why| {
            let detail = "Pass the challenge first, and send its verdict as X-Challenge-Verdict.";
            Problem::new(kind::CHALLENGE_REQUIRED, detail).with("why", why.to_string())
        })
    }
}
