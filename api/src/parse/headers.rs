//! Headers of a purchase: `Idempotency-Key`, `Prefer`, `X-User-Id`, `traceparent`.

use std::time::Duration;

use axum::http::header::GetAll;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use shared::domain::{IdempotencyKey, UserId};
use shared::telemetry::is_traceparent;

use super::WAIT_S_MAX;
use crate::problem::Faults;

// Names of ours are checked once, not with every request.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const X_USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const X_QUEUE_PASS: HeaderName = HeaderName::from_static("x-queue-pass");
const X_QUEUE_TICKET: HeaderName = HeaderName::from_static("x-queue-ticket");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The client's key for this attempt to buy.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Faults> {
    text(&headers.get_all(IDEMPOTENCY_KEY), "Idempotency-Key", |text| IdempotencyKey::parse(text))
}

/// The pass of a waiting room. What is none is as good as none.
pub(super) fn queue_pass(headers: &HeaderMap) -> Option<Box<str>> {
    headers.get(X_QUEUE_PASS)?.to_str().ok().map(Into::into)
}

/// The ticket of a waiting room. What is none is as good as none.
pub(super) fn queue_ticket(headers: &HeaderMap) -> Option<&str> {
    headers.get(X_QUEUE_TICKET)?.to_str().ok()
}

/// The buyer, where a header names them.
pub(super) fn user_id(headers: &HeaderMap) -> Result<Option<UserId>, Faults> {
    text(&headers.get_all(X_USER_ID), "X-User-Id", |text| UserId::parse(text))
}

/// The client's trace. One that cannot be read is as good as none (W3C Trace Context, 3.2.2).
pub(super) fn traceparent(headers: &HeaderMap) -> Option<Box<str>> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    is_traceparent(text).then(|| text.into())
}

/// How long the client would have the answer held back (RFC 7240, section 4.3), cut to
/// [`WAIT_S_MAX`]. What cannot be read is no preference (section 2).
pub(super) fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    headers.get_all(PREFER).iter().find_map(|value| {
        value.to_str().ok()?.split(',').find_map(|preference| {
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            if !name.trim().eq_ignore_ascii_case("wait") {
                return None;
            }
            wait_of(value.trim().trim_matches('"'))
        })
    })
}

/// The client would rather have a 202 (RFC 7240, section 4.1).
pub(super) fn prefers_async(headers: &HeaderMap) -> bool {
    headers.get_all(PREFER).iter().any(|value| {
        let preferences = value.to_str().unwrap_or_default().split(',');
        preferences
            .filter_map(|preference| preference.split(';').next())
            .any(|name| name.trim().eq_ignore_ascii_case("respond-async"))
    })
}

/// Whole seconds, cut to [`WAIT_S_MAX`].
pub(super) fn wait_of(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // More digits than a number holds are a long wait all the same.
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX).min(WAIT_S_MAX)))
}

fn text<T, E: std::fmt::Display>(
    values: &GetAll<'_, HeaderValue>,
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Faults> {
    let mut values = values.iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Faults::one(name, "is given more than once"));
    }
    let text = std::str::from_utf8(value.as_bytes());
    let text = text.map_err(|_| Faults::one(name, "must be UTF-8"))?;
    parse(text).map(Some).map_err(|error| Faults::one(name, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(values: &[&'static str]) -> Option<u64> {
        let headers = values.iter().map(|v| ("prefer".parse().unwrap(), v.parse().unwrap()));
        preferred_wait(&headers.collect()).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        assert_eq!(wait(&["wait=5"]), Some(5));
        assert_eq!(wait(&["respond-async, Wait = \"7\"; x=1"]), Some(7));
        assert_eq!(wait(&["return=minimal", "wait=3"]), Some(3));
        assert_eq!(wait(&["wait=99999999999999999999"]), Some(WAIT_S_MAX));
    }

    #[test]
    fn what_cannot_be_read_is_no_preference() {
        assert_eq!(wait(&["wait=soon", "wait", "await=5", "wait=-1", "wait=1.5"]), None);
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a_key_is_given_once_and_visible() {
        let key = |values: &[&'static str]| {
            let headers = values.iter().map(|v| {
                ("idempotency-key".parse().unwrap(), {
                    axum::http::HeaderValue::from_bytes(v.as_bytes()).unwrap()
                })
            });
            idempotency_key(&headers.collect())
        };
        assert!(key(&["k-1"]).unwrap().is_some());
        assert!(key(&[]).unwrap().is_none());
        assert!(key(&[""]).is_err() && key(&["a b"]).is_err() && key(&["é"]).is_err());
        assert!(key(&["a", "b"]).is_err());
    }
}
