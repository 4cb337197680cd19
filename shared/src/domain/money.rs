//! Money in integer minor units; decimals exist only in text.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text;

/// A currency by its ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// Why an amount or a currency was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three capital letters.
    #[error("must be an ISO 4217 code of three capital letters, such as USD")]
    Currency,
    /// Not a decimal amount of that currency.
    #[error("must be a non-negative decimal string such as \"19.99\" with at most {0} decimals")]
    Amount(u32),
}

impl Currency {
    /// The US dollar.
    pub const USD: Self = Self(*b"USD");

    /// Parses three capital letters.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            _ => Err(MoneyError::Currency),
        }
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Decimals of the minor unit (ISO 4217: most have two).
    pub fn exponent(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, Self::parse)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Digits of the longest amount.
const DIGITS_MAX: usize = 20;

/// An amount of money. `Display` gives the decimal text (`999.99`), without the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units (cents), never negative.
    pub minor: i64,
    /// What they are minor units of.
    pub currency: Currency,
}

impl Money {
    /// The largest amount accepted, in minor units: so that price × quantity cannot overflow.
    pub const MAX_MINOR: i64 = 1_000_000_000_000;

    /// Parses a decimal string of `currency`: digits, at most as many decimals as it has.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let exponent = currency.exponent();
        let error = MoneyError::Amount(exponent);
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let dot_without_decimals = text.ends_with('.');
        if whole.is_empty()
            || dot_without_decimals
            || !digits(whole)
            || !digits(decimals)
            || decimals.len() > exponent as usize
        {
            return Err(error);
        }
        let padded = format!("{whole}{decimals:0<width$}", width = exponent as usize);
        match padded.parse() {
            Ok(minor) if minor <= Self::MAX_MINOR => Ok(Self { minor, currency }),
            _ => Err(error),
        }
    }

    /// This amount `units` times.
    #[must_use]
    pub const fn times(self, units: u32) -> Self {
        Self { minor: self.minor.saturating_mul(units as i64), currency: self.currency }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digit by digit from the right: on the way of every purchase, and several times as fast as
        // two formatted numbers.
        let mut digits = [b'0'; DIGITS_MAX + 1];
        let (mut at, mut rest, decimals) =
            (digits.len(), self.minor.unsigned_abs(), self.currency.exponent() as usize);
        let mut written = 0;
        while rest > 0 || written <= decimals {
            if written == decimals && decimals > 0 {
                at -= 1;
                digits[at] = b'.';
            }
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            written += 1;
        }
        f.write_str(std::str::from_utf8(&digits[at..]).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_follow_the_currency() {
        let cases = [("USD", "999.99", 99_999), ("JPY", "1500", 1_500), ("KWD", "1.005", 1_005)];
        for (code, text, minor) in cases {
            let money = Money::parse(text, Currency::parse(code).unwrap()).unwrap();
            assert_eq!((money.minor, money.to_string()), (minor, text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "1.999", "1e3", " 1", "10000000000.01", "٣"] {
            assert!(Money::parse(text, Currency::USD).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_text(minor in 0..=Money::MAX_MINOR) {
            let money = Money { minor, currency: Currency::USD };
            prop_assert_eq!(Money::parse(&money.to_string(), Currency::USD), Ok(money));
        }
    }
}
