//! The ID of a request: the client's where it sent a sane one, else one of ours.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

const BYTES_MAX: usize = 128;
/// Where it stands in requests and answers.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request in answers and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The ID of the request with these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(X_REQUEST_ID).filter(|value| is_sane(value.as_bytes()));
        given.cloned().map_or_else(Self::next, Self)
    }

    /// A new ID: a part that differs between processes and a count.
    fn next() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(rand::random);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut text = Uuid::encode_buffer();
        let text = Uuid::from_u64_pair(*PROCESS, count).as_simple().encode_lower(&mut text);
        // Hexadecimal digits are always a header's value.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none")))
    }
}

/// Safe to write into a log as it stands.
fn is_sane(id: &[u8]) -> bool {
    (1..=BYTES_MAX).contains(&id.len())
        && id.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(b))
}

impl From<RequestId> for HeaderValue {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> RequestId {
        RequestId::of(&HeaderMap::from_iter([(
            "x-request-id".parse().unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        )]))
    }

    #[test]
    fn a_sane_id_is_kept() {
        assert_eq!(of("req-7f").to_string(), "req-7f");
    }

    #[test]
    fn anything_else_is_replaced() {
        for value in ["", "two words", "é", &"x".repeat(129), "a\"b"] {
            assert_ne!(of(value).to_string(), value);
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
