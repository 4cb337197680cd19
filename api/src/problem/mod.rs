//! Problems: what a client is told when something is not done (RFC 9457).
//!
//! [`kind`] is the table of codes, `mapping` the one place that knows which error is which of
//! them, `document` the shape in which a client sees it, [`responses`] its place in the OpenAPI
//! document.

mod document;
mod fault;
pub mod kind;
mod mapping;
pub mod responses;

pub use document::{Problem, ProblemDocument};
pub use fault::{Fault, Faults};
pub use kind::Kind;
