//! The bodies that are written most often, without serde's general way.
//!
//! Member names need no escaping and most values neither, which serde cannot know: it looks at every
//! byte. Each body written here is also described by a type with `Serialize`, for the OpenAPI document,
//! and a test holds the two to the same bytes.

use std::fmt::Display;
use std::io::Write as _;

use serde::Serialize;

/// For what stands around a name, and a short value.
const ROOM: usize = 32;

/// An object being written.
#[derive(Debug)]
pub(crate) struct Object(Vec<u8>);

impl Object {
    /// An object of about so many bytes.
    pub(crate) fn of(bytes_usual: usize) -> Self {
        let mut out = Vec::with_capacity(bytes_usual);
        out.push(b'{');
        Self(out)
    }

    /// A text, escaped where it has to be.
    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.value(name, &text)
    }

    /// A text that needs no escaping: digits, names of ours, dates.
    pub(crate) fn plain(mut self, name: &str, text: impl Display) -> Self {
        self.name(name);
        self.0.push(b'"');
        // Writing into memory has no way to fail; nor does anything below.
        let _ = write!(self.0, "{text}");
        self.0.push(b'"');
        self
    }

    /// A word that needs no escaping.
    pub(crate) fn word(self, name: &str, word: &str) -> Self {
        self.words(name, [word])
    }

    /// Some of them, put together.
    pub(crate) fn words<const N: usize>(mut self, name: &str, words: [&str; N]) -> Self {
        self.name(name);
        self.0.push(b'"');
        for word in words {
            self.0.extend_from_slice(word.as_bytes());
        }
        self.0.push(b'"');
        self
    }

    /// An integer.
    pub(crate) fn integer(self, name: &str, number: i64) -> Self {
        // Several times as fast as a formatter.
        self.value(name, &number)
    }

    /// True or false.
    pub(crate) fn flag(mut self, name: &str, is: bool) -> Self {
        self.name(name);
        self.0.extend_from_slice(if is { b"true" } else { b"false" });
        self
    }

    /// Anything else, by serde.
    pub(crate) fn value(mut self, name: &str, value: &impl Serialize) -> Self {
        self.name(name);
        let _ = serde_json::to_writer(&mut self.0, value);
        self
    }

    /// An object within.
    pub(crate) fn object(mut self, name: &str, members: impl FnOnce(Self) -> Self) -> Self {
        self.name(name);
        self.0.push(b'{');
        let mut whole = members(self);
        whole.0.push(b'}');
        whole
    }

    /// The bytes.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn name(&mut self, name: &str) {
        self.0.reserve(name.len() + ROOM);
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_json() {
        let body = Object::of(0)
            .object("none", |none| none)
            .object("one", |one| one.integer("n", -1))
            .text("text", "a \"b\"\n")
            .plain("plain", 7)
            .word("word", "W")
            .words("words", ["W", "w"])
            .flag("flag", true)
            .value("value", &[1, 2])
            .end();
        let expected = r#"{"none":{},"one":{"n":-1},"text":"a \"b\"\n","plain":"7","word":"W","words":"Ww","flag":true,"value":[1,2]}"#;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert_eq!(Object::of(0).end(), b"{}");
    }
}
