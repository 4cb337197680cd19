//! The load generator against a shop in memory, over real sockets.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod engine;
mod fake;
mod holds;
mod knee;
mod stampede;
