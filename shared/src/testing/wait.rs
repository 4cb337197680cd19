//! Waiting for a condition, never for a time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Long enough for a loaded machine; only a failing test waits this long.
const DEADLINE: Duration = Duration::from_secs(20);

/// Asks until there is an answer; panics with `what` when there is none within 20 seconds.
///
/// # Panics
///
/// When the condition does not come true.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} in vain until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
