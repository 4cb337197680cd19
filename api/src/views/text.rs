//! Values as clients read them.

use serde::{Serialize, Serializer};
use shared::domain::{Money, Timestamp, TrackingId};

/// A moment as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// An amount of money as a decimal string, without its currency.
#[derive(Debug, Clone, Copy)]
pub struct Decimal(pub Money);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The path of a purchase, with something behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PurchasePath(pub(super) TrackingId, pub(super) &'static str);

impl std::fmt::Display for PurchasePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "/api/v1/purchases/{}{}", self.0, self.1)
    }
}

impl Serialize for PurchasePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
