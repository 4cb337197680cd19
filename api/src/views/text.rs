//! Values as clients read them.

use serde::{Serialize, Serializer};
use shared::domain::{Money, Timestamp, TrackingId};
use uuid::fmt::Hyphenated;

/// A moment as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// An amount of money as a decimal string, without its currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimal(pub Money);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Where purchases are found.
const PURCHASES: &str = "/api/v1/purchases/";
/// Where one is found as a stream of events, below it.
const EVENTS: &str = "/events";
const STATE_BYTES: usize = PURCHASES.len() + Hyphenated::LENGTH;

/// The path of a purchase. Put together without a formatter, since every 202 says it three times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PurchasePath {
    bytes: [u8; STATE_BYTES + EVENTS.len()],
    length: usize,
}

impl PurchasePath {
    /// Of its state.
    pub(crate) fn state(id: TrackingId) -> Self {
        Self { length: STATE_BYTES, ..Self::events(id) }
    }

    /// Of its state as a stream of events.
    pub(super) fn events(id: TrackingId) -> Self {
        let mut bytes = [0; _];
        let (root, rest) = bytes.split_at_mut(PURCHASES.len());
        let (name, events) = rest.split_at_mut(Hyphenated::LENGTH);
        root.copy_from_slice(PURCHASES.as_bytes());
        id.0.as_hyphenated().encode_lower(name);
        events.copy_from_slice(EVENTS.as_bytes());
        Self { bytes, length: STATE_BYTES + EVENTS.len() }
    }

    /// The path as text.
    pub(crate) fn as_str(&self) -> &str {
        // All of it is ASCII.
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }
}

impl Serialize for PurchasePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::testing::id;

    use super::*;

    #[test]
    fn a_purchase_is_found_under_its_id() {
        let state = format!("/api/v1/purchases/{}", id(7));
        assert_eq!(PurchasePath::state(id(7)).as_str(), state);
        assert_eq!(PurchasePath::events(id(7)).as_str(), state + "/events");
    }
}
