//! How deep a JSON body is nested. A typed parse skips what it does not know, however deep that is.

/// Arrays and objects within one another, at most.
pub(super) const LEVELS_MAX: usize = 64;

/// Whether `json` is nested deeper than [`LEVELS_MAX`]. Whether it is JSON at all is for the parser to say,
/// who gets no deeper than this before it says no.
pub(super) fn is_too_deep(json: &str) -> bool {
    // Nearly every body has a few of them in all.
    let opened = json.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    opened > LEVELS_MAX && levels(json.as_bytes()) > LEVELS_MAX
}

fn levels(json: &[u8]) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

/// Passes over the rest of a string.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_outside_strings_only() {
        for (json, expected) in [
            ("", 0),
            ("1", 0),
            ("[]", 1),
            (r#"{"a":[{}],"b":[[]]}"#, 3),
            ("[[],[],[]]", 2),
            (r#"["[[[[","{{{{"]"#, 1),
            (r#"["\"[[[[",[]]"#, 2),
            (r#"["\\",[[]]]"#, 3),
            (r#"["\\\"[[[["]"#, 1),
            (r#"{"[[[":1}"#, 1),
            ("]]]][", 1),
            (r#"["[["#, 1),
            (r#"["\"#, 1),
        ] {
            assert_eq!(levels(json.as_bytes()), expected, "{json}");
        }
    }

    #[test]
    fn what_is_wide_is_not_deep() {
        let nested = |levels| ["[".repeat(levels), "]".repeat(levels)].concat();
        assert!(!is_too_deep(&nested(LEVELS_MAX)) && is_too_deep(&nested(LEVELS_MAX + 1)));
        assert!(!is_too_deep(&format!("[{}[]]", "[],".repeat(1_000))));
        assert!(!is_too_deep(&format!("\"{}\"", "[".repeat(1_000))));
    }
}
