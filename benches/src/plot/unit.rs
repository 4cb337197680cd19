//! How values are written, on axes and in tables.

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// So many in each second.
    PerSecond,
    /// So many.
    Count,
    /// Of a hundred.
    Percent,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// On an axis: short, with the unit where it changes along the axis.
    pub(crate) fn tick(self, value: f64) -> String {
        match self {
            Self::PerSecond | Self::Count => grouped(value, usize::from(value.fract() != 0.0)),
            Self::Percent => format!("{} %", plain(value)),
            Self::Milliseconds if value >= 1_000.0 => format!("{} s", plain(value / 1_000.0)),
            Self::Milliseconds => format!("{} ms", plain(value)),
            Self::Seconds => format!("{} s", plain(value)),
        }
    }

    /// In a table, whose head names the unit.
    pub(crate) fn cell(self, value: f64) -> String {
        match self {
            Self::PerSecond | Self::Count => grouped(value, 0),
            Self::Percent | Self::Seconds => grouped(value, 1),
            Self::Milliseconds => three_digits(value),
        }
    }

    /// After a name in the head of a table.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::PerSecond => " /s",
            Self::Count => "",
            Self::Percent => " %",
            Self::Milliseconds => " ms",
            Self::Seconds => " s",
        }
    }
}

/// With at least three digits that mean something, and no more than needed for it: 0.123, 4.56, 78.9,
/// 1,234.
pub(crate) fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        magnitude if magnitude >= 99.95 => 0,
        magnitude if magnitude >= 9.995 => 1,
        magnitude if magnitude >= 0.9995 => 2,
        _ => 3,
    };
    grouped(value, decimals)
}

/// With commas between thousands.
pub(crate) fn grouped(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, rest) = digits.split_once('.').map_or((&*digits, None), |(w, r)| (w, Some(r)));
    let mut text = String::new();
    let is_zero = digits.chars().all(|digit| matches!(digit, '0' | '.'));
    if value < 0.0 && !is_zero {
        text.push('-');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(rest) = rest {
        text.push('.');
        text.push_str(rest);
    }
    text
}

/// Without the zeros that rounding to ticks left.
fn plain(value: f64) -> String {
    let text = grouped(value, 3);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_and_zero_has_no_sign() {
        assert_eq!(grouped(1_234_567.0, 0), "1,234,567");
        assert_eq!(grouped(-1_234.5, 1), "-1,234.5");
        assert_eq!(grouped(999.96, 1), "1,000.0");
        assert_eq!(grouped(-0.001, 1), "0.0");
    }

    #[test]
    fn three_digits_that_mean_something_are_kept() {
        let written = [0.12345, 4.5678, 9.996, 78.94, 99.96, 1_234.5].map(three_digits);
        assert_eq!(written, ["0.123", "4.57", "10.0", "78.9", "100", "1,234"]);
    }

    #[test]
    fn ticks_of_time_change_to_seconds() {
        let written = [0.5, 20.0, 1_000.0, 20_000.0].map(|ms| Unit::Milliseconds.tick(ms));
        assert_eq!(written, ["0.5 ms", "20 ms", "1 s", "20 s"]);
    }
}
