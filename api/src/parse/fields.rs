//! A JSON object read field by field, noting every fault. Where speed matters a typed parse goes
//! first, and this one only explains what it refused.

use std::ops::RangeInclusive;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::problem::Faults;

/// The fields of a JSON object. `null` counts as missing; unknown fields are ignored.
#[derive(Debug)]
pub struct Fields {
    entries: Vec<(String, Value)>,
    faults: Faults,
}

impl Fields {
    /// Reads `body`, which must be one JSON object.
    pub fn read(body: &str) -> Result<Self, Faults> {
        let Object(entries) = serde_json::from_str(body).map_err(|error| malformed(&error))?;
        Ok(Self { entries, faults: Faults::default() })
    }

    /// A text of up to `bytes_max` bytes without control characters.
    pub fn text(&mut self, name: &'static str, bytes_max: usize) -> Option<String> {
        match self.value(name)? {
            Value::String(text) if text.len() > bytes_max => {
                self.faults.note(name, format!("must have at most {bytes_max} bytes"));
                None
            }
            Value::String(text) if text.chars().any(char::is_control) => {
                self.faults.note(name, "must not contain control characters");
                None
            }
            Value::String(text) => Some(text),
            _ => self.wrong(name, "must be a string"),
        }
    }

    /// An integer within `range`.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let fault = || format!("must be an integer from {} to {}", range.start(), range.end());
        match self.value(name)?.as_i64().filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => self.wrong(name, fault()),
        }
    }

    /// True or false.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(flag),
            _ => self.wrong(name, "must be true or false"),
        }
    }

    /// The value of a field, if it is there, once, and not null.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        let mut given = self.entries.iter().filter(|(entry, _)| entry == name);
        let (_, value) = given.next()?;
        if given.next().is_none() {
            return Some(value).filter(|value| !value.is_null()).cloned();
        }
        if !self.faults.of(name) {
            self.faults.note(name, "is given more than once");
        }
        None
    }

    /// True if the field is there, be it null.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(entry, _)| entry == name)
    }

    /// What is wrong so far.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// `value` where it is there and nothing is wrong.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Faults> {
        self.faults.or(value)
    }

    /// Notes a fault in place of a value.
    pub fn wrong<T>(
        &mut self,
        name: &'static str,
        fault: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Option<T> {
        self.faults.note(name, fault);
        None
    }
}

fn malformed(error: &serde_json::Error) -> Faults {
    let fault = match error.classify() {
        serde_json::error::Category::Data => "must be a JSON object".to_owned(),
        _ => format!("is not JSON: {error}"),
    };
    Faults::one("body", fault)
}

/// The entries of an object as they stand, repeated names included.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_refused_as_a_whole() {
        for body in ["", "{", "[]", "7", "null", "{} x", "{\"a\":}", "\u{feff}{}"] {
            let faults = Fields::read(body).unwrap_err();
            assert!(faults.of("body"), "{body:?}: {faults:?}");
        }
    }

    #[test]
    fn a_name_is_given_once() {
        let mut fields = Fields::read(r#"{"a":1,"a":2,"a":3,"b":1,"c":1,"c":2}"#).unwrap();
        assert_eq!(fields.integer("a", 1..=9), None);
        assert_eq!(fields.integer("a", 1..=9), None);
        let faults = fields.finish(Some(())).unwrap_err();
        assert_eq!(faults.all().len(), 1);
        assert!(faults.of("a"));
    }

    #[test]
    fn null_counts_as_missing() {
        let mut fields = Fields::read(r#"{"a":null}"#).unwrap();
        assert_eq!(fields.text("a", 10), None);
        assert!(fields.has("a") && !fields.has("b"));
        assert_eq!(fields.finish(Some(())), Ok(()));
    }

    #[test]
    fn numbers_are_integers_within_their_range() {
        for (number, good) in [("5", true), ("5.0", false), ("0", false), ("1e30", false)] {
            let mut fields = Fields::read(&format!("{{\"n\":{number}}}")).unwrap();
            assert_eq!(fields.integer("n", 1..=10).is_some(), good, "{number}");
        }
    }
}
