//! The real programs as processes, on corners of the real servers that no other test uses.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)] // A panic is how a test fails; not every test uses all.

mod http;
mod program;
mod servers;
mod stack;

pub use http::{Answer, Client};
pub use program::Program;
pub use servers::{Server, Servers};
pub use stack::Stack;

use std::time::{Duration, Instant};

/// The operators' key of every stack.
pub const API_KEY: &str = "a-key-for-end-to-end-tests";

/// Looks again and again until `look` finds something; fails loudly after 60 seconds.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
