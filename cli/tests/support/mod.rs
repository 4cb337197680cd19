//! The real programs as processes, on corners of the real servers that no other test uses.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, unreachable_pub, unused_imports)] // A panic is how a test fails; not every test uses all.

mod database;
mod http;
mod listener;
mod program;
mod promises;
mod servers;
mod stack;

pub use database::{Backup, Database};
pub use http::{Answer, Client};
pub use listener::listen;
pub use program::Program;
pub use promises::{accept, kept, readiness};
pub use servers::{DiskFull, Down, MemoryAlarm, RedisFull, RetryDeadLetters, Server, Servers};
pub use shared::testing::eventually;
pub use stack::{Stack, free_port, ready};

/// The operators' key of every stack.
pub const API_KEY: &str = "a-key-for-end-to-end-tests";
