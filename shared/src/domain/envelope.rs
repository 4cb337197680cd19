//! The message on the purchase queue: a versioned batch in JSON, so that an operator can read it.

use serde::{Deserialize, Serialize};

use super::purchase::Purchase;

/// The version this program writes.
pub const VERSION: u32 = 1;

/// A batch of purchases as it travels through the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The purchases, in order of arrival.
    pub purchases: Vec<Purchase>,
}

/// Why bytes are no envelope.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or not of this shape.
    #[error("not a purchase envelope: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a newer program.
    #[error("envelope version {0} is not supported; this program reads version {VERSION}")]
    Version(u32),
    /// An envelope must carry something.
    #[error("an envelope without purchases")]
    Empty,
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    purchases: &'a [Purchase],
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Deserialize)]
struct Read {
    v: u32,
    purchases: Vec<Purchase>,
}

/// Writes `purchases` as one message body.
pub fn encode(purchases: &[Purchase]) -> Vec<u8> {
    let mut body = Vec::with_capacity(32 + purchases.len() * 320);
    // Writing plain values into memory has no way to fail.
    let _ = serde_json::to_writer(&mut body, &Written { v: VERSION, purchases });
    body
}

/// Writes one purchase as a message body of its own, without the mark of a replay: the same purchase is
/// always the same bytes.
pub fn encode_alone(purchase: &Purchase) -> Vec<u8> {
    encode(&[Purchase { replayed: false, ..purchase.clone() }])
}

/// The purchases in a dead letter: those of an envelope, or a purchase on its own. None where the bytes
/// cannot be decoded.
pub fn purchases_in(body: &[u8]) -> Vec<Purchase> {
    match decode(body) {
        Ok(envelope) => envelope.purchases,
        Err(_) => serde_json::from_slice(body).into_iter().collect(),
    }
}

/// Reads one message body.
pub fn decode(body: &[u8]) -> Result<Envelope, EnvelopeError> {
    match serde_json::from_slice::<Read>(body) {
        Ok(Read { v: VERSION, purchases }) if !purchases.is_empty() => Ok(Envelope { purchases }),
        Ok(Read { v: VERSION, .. }) => Err(EnvelopeError::Empty),
        Ok(Read { v, .. }) => Err(EnvelopeError::Version(v)),
        // A newer version may have another shape: its number is the better answer.
        Err(error) => match serde_json::from_slice(body) {
            Ok(Version { v }) if v != VERSION => Err(EnvelopeError::Version(v)),
            _ => Err(EnvelopeError::Malformed(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::purchase;

    #[test]
    fn a_batch_survives_the_wire() {
        let purchases = vec![purchase(1, "u-1", 1), purchase(2, "u-2", 3)];
        assert_eq!(decode(&encode(&purchases)).unwrap(), Envelope { purchases });
    }

    #[test]
    fn an_operator_can_read_it() {
        let text = String::from_utf8(encode(&[purchase(1, "u-1", 2)])).unwrap();
        assert!(text.starts_with(r#"{"v":1,"purchases":[{"id":""#), "{text}");
        assert!(text.contains(r#""userId":"u-1","quantity":2"#), "{text}");
    }

    #[test]
    fn a_purchase_on_its_own_is_the_same_bytes_however_often_it_was_replayed() {
        let first = purchase(1, "u-1", 2);
        let replayed = Purchase { replayed: true, ..first.clone() };
        assert_eq!(encode_alone(&replayed), encode(std::slice::from_ref(&first)));
        assert_eq!(purchases_in(&encode_alone(&replayed)), std::slice::from_ref(&first));
        assert_eq!(purchases_in(&serde_json::to_vec(&first).unwrap()), [first]);
        assert!(purchases_in(b"garbage").is_empty());
    }

    #[test]
    fn another_version_is_named() {
        let error = decode(br#"{"v":9,"batches":[]}"#).unwrap_err();
        assert!(matches!(error, EnvelopeError::Version(9)), "{error}");
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        for body in [&b""[..], b"garbage", b"{}", br#"{"v":1}"#, br#"{"v":1,"purchases":[1]}"#] {
            assert!(matches!(decode(body), Err(EnvelopeError::Malformed(_))), "{body:?}");
        }
        assert!(matches!(decode(br#"{"v":1,"purchases":[]}"#), Err(EnvelopeError::Empty)));
    }
}
