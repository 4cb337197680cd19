//! Faults: everything that is wrong with a request, field by field.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// The field, parameter or header; `body` for the body as a whole.
    #[schema(value_type = String, example = "quantity")]
    pub field: Cow<'static, str>,
    /// What would be accepted.
    #[schema(value_type = String, example = "must be an integer from 1 to 100")]
    pub fault: Cow<'static, str>,
}

/// Everything that is wrong with a request, so that a client hears of it at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// A single fault.
    pub fn one(field: impl Into<Cow<'static, str>>, fault: impl Into<Cow<'static, str>>) -> Self {
        let mut faults = Self::default();
        faults.note(field, fault);
        faults
    }

    /// Notes a fault.
    pub fn note(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        fault: impl Into<Cow<'static, str>>,
    ) {
        self.0.push(Fault { field: field.into(), fault: fault.into() });
    }

    /// Notes that a field is missing, unless something is already known to be wrong with it.
    pub fn note_missing(&mut self, field: &'static str) {
        if !self.of(field) {
            self.note(field, "is missing");
        }
    }

    /// True if something is wrong with `field`.
    pub fn of(&self, field: &str) -> bool {
        self.0.iter().any(|fault| fault.field == field)
    }

    /// `value` where it is there and nothing is wrong.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// All faults, in the order in which they were found.
    pub fn all(&self) -> &[Fault] {
        &self.0
    }

    /// Adds the faults of another part of the request.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}
