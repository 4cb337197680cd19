//! Names of things, parsed once at the door. Inside there is nothing left to check.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::text;

/// Why a name was refused; the text says what would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(pub &'static str);

/// A product, by its number in the ledger (positive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProductId(pub i64);

impl ProductId {
    /// Parses a product number; product numbers are positive.
    pub fn parse(number: i64) -> Result<Self, InvalidId> {
        if number > 0 { Ok(Self(number)) } else { Err(InvalidId("must be a positive integer")) }
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sale, by its number in the ledger (positive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SaleId(pub i64);

impl fmt::Display for SaleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Units of one product in one purchase: 1 to the configured maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(u32);

impl Quantity {
    /// One unit.
    pub const ONE: Self = Self(1);

    /// Parses a quantity within `1..=max`; `None` outside.
    pub fn parse(units: i64, max: u32) -> Option<Self> {
        u32::try_from(units).ok().filter(|units| (1..=max).contains(units)).map(Self)
    }

    /// The number of units.
    pub const fn units(self) -> u32 {
        self.0
    }
}

/// Declares a short text that is checked once and shared cheaply afterwards.
macro_rules! short_text {
    ($(#[$doc:meta])* $name:ident, $max:literal, $rule:literal, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest text accepted, in bytes of UTF-8.
            pub const MAX_BYTES: usize = $max;

            /// Checks `text` against the rule of this name.
            pub fn parse(text: impl Into<Arc<str>>) -> Result<Self, InvalidId> {
                let text = text.into();
                let accepts: fn(&str) -> bool = $accepts;
                if (1..=$max).contains(&text.len()) && accepts(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId($rule))
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::deserialize(deserializer, |text| Self::parse(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

short_text!(
    /// A buyer, as the shop names them.
    UserId,
    128,
    "must be 1 to 128 bytes without control characters",
    |text| !text.chars().any(char::is_control)
);

short_text!(
    /// A stock-keeping unit: the shop's own name of a product. Never all digits, so that a path
    /// segment of digits is always a product number.
    Sku,
    64,
    "must be 1 to 64 of A-Z a-z 0-9 . _ - and not all digits",
    |text| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && !text.bytes().all(|b| b.is_ascii_digit())
    }
);

short_text!(
    /// A client's name for one attempt to buy (`Idempotency-Key`).
    IdempotencyKey,
    255,
    "must be 1 to 255 visible ASCII characters",
    |text| text.bytes().all(|b| b.is_ascii_graphic())
);

short_text!(
    /// A payment provider's name of a transaction.
    PaymentRef,
    255,
    "must be 1 to 255 bytes without control characters",
    |text| !text.chars().any(char::is_control)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_never_all_digits() {
        assert!(Sku::parse("12345").is_err());
        assert!(Sku::parse("SKU-12345").is_ok());
    }

    #[test]
    fn control_characters_are_no_part_of_a_name() {
        assert!(UserId::parse("a\0b").is_err());
        assert!(UserId::parse("a\u{85}b").is_err());
        assert!(UserId::parse("Zoë 7").is_ok());
    }

    #[test]
    fn names_have_a_length() {
        assert!(UserId::parse("").is_err());
        assert!(UserId::parse("u".repeat(128)).is_ok());
        assert!(UserId::parse("u".repeat(129)).is_err());
        assert!(IdempotencyKey::parse("k".repeat(255)).is_ok());
        assert!(IdempotencyKey::parse("two words").is_err());
    }

    #[test]
    fn a_name_from_the_wire_is_checked_too() {
        assert!(serde_json::from_str::<UserId>("\"\"").is_err());
        assert!(serde_json::from_str::<UserId>("\"u-1\"").is_ok());
    }

    #[test]
    fn a_quantity_lies_between_one_and_the_maximum() {
        assert_eq!(Quantity::parse(0, 10), None);
        assert_eq!(Quantity::parse(-1, 10), None);
        assert_eq!(Quantity::parse(11, 10), None);
        assert_eq!(Quantity::parse(10, 10).map(Quantity::units), Some(10));
        assert_eq!(Quantity::parse(i64::MAX, u32::MAX), None);
    }
}
