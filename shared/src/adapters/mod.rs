//! The technologies behind the ports: one folder each, none knows another, none knows a rule.

pub mod embedded;
pub mod postgres;
