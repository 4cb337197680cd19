//! Moments as milliseconds since the Unix epoch, the resolution of the whole system.

use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// 9999-12-31T23:59:59.999Z: RFC 3339 has no names for what comes after.
const LAST_MILLI: i64 = 253_402_300_799_999;

/// A moment, in milliseconds since the Unix epoch. Shown as RFC 3339 in UTC with milliseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339 with any offset, to the millisecond; `None` outside of the years 1970 to 9999
    /// in UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let at = Self::from(DateTime::parse_from_rfc3339(text).ok()?.to_utc());
        (0..=LAST_MILLI).contains(&at.0).then_some(at)
    }

    /// This moment moved by `millis`, saturating at the ends of time.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl From<Timestamp> for DateTime<Utc> {
    /// Moments outside chrono's range (±262,000 years) become the epoch; none is ever made.
    fn from(at: Timestamp) -> Self {
        DateTime::from_timestamp_millis(at.0).unwrap_or_default()
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match u64::try_from(self.0) {
            // As good as always, and several times as fast; on the way of every purchase.
            Ok(millis) if self.0 <= LAST_MILLI => {
                let at = UNIX_EPOCH + Duration::from_millis(millis);
                humantime::format_rfc3339_millis(at).fmt(f)
            }
            _ => f.write_str(&DateTime::from(*self).to_rfc3339_opts(SecondsFormat::Millis, true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST_MILLI, Timestamp};

    #[test]
    fn a_moment_is_shown_in_utc_with_milliseconds() {
        let shown = Timestamp::from_millis(1_700_000_000_007).to_string();
        assert_eq!(shown, "2023-11-14T22:13:20.007Z");
        assert_eq!(Timestamp::from_millis(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(LAST_MILLI).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_moment_is_read_with_any_offset() {
        let same = ["2023-11-14T22:13:20.007Z", "2023-11-14T23:43:20.0079+01:30"];
        for text in same {
            assert_eq!(Timestamp::parse(text), Some(Timestamp::from_millis(1_700_000_000_007)));
        }
    }

    #[test]
    fn what_is_no_moment_of_our_calendar_is_refused() {
        let bad = ["", "2023-11-14", "2023-11-14T22:13:20", "2023-02-30T00:00:00Z", "1700000000"];
        let outside = ["1969-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z"];
        for text in bad.into_iter().chain(outside) {
            assert_eq!(Timestamp::parse(text), None, "{text:?}");
        }
        let last = Timestamp::parse("9999-12-31T23:59:59.999Z").unwrap();
        assert_eq!(last.to_string(), "9999-12-31T23:59:59.999Z");
    }
}
