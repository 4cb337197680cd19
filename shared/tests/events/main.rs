//! Events for other systems: from real commits through the relay and a real broker to a listener,
//! and as `docs/asyncapi.json` says.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A panic is how a test fails.

mod boards;
mod contract;
mod delivery;
mod documents;
mod everything;
mod support;
