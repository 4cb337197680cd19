//! Repeats a request until it is answered: the same request, at the next URL.

use std::time::Duration;

use crate::client::{Answer, Line, Request};
use crate::shop::problem::code;
use crate::stampede::run::Run;

/// `Retry-After` is honoured up to this, so that a run ends.
const RETRY_AFTER_S_MAX: u64 = 2;
/// The pause after a 5xx or 429 that does not say how long.
const RETRY_DEFAULT: Duration = Duration::from_millis(100);

/// Whether a request that may have counted can be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It counts once, however often it is sent.
    Safe,
    /// It would count twice.
    Unsafe,
}

/// How insisting ended.
pub(crate) enum Insisted<T> {
    /// What was read of the answer.
    Got(T),
    /// The connection broke and the request must not be repeated.
    Unknown,
    /// Time is up; this was heard last.
    InVain(String),
}

/// Sends `request` until somebody answers other than 429 or 5xx.
pub(crate) async fn insist<T>(
    run: &Run,
    line: &mut Line,
    request: &Request<'_>,
    repeat: Repeat,
    read: impl Fn(&Answer<'_>) -> T,
) -> Insisted<T> {
    let mut last_heard = String::from("NO_ANSWER");
    while !run.time_left().is_zero() {
        match line.call(request, run.patience()).await {
            Ok(answer) if matches!(answer.status, 429 | 500..=599) => {
                let pause = answer.retry_after_s.map_or(RETRY_DEFAULT, |seconds| {
                    Duration::from_secs(seconds.min(RETRY_AFTER_S_MAX))
                });
                last_heard = code(&answer);
                note_busy(run, repeat, &last_heard);
                run.pause(pause).await;
            }
            Ok(answer) => return Insisted::Got(read(&answer)),
            Err(broken) if broken.sent && repeat == Repeat::Unsafe => return Insisted::Unknown,
            Err(_) => {
                run.tally().retries_connection += 1;
                line.back_off().await;
            }
        }
    }
    Insisted::InVain(last_heard)
}

/// Where repeating is unsafe, only an answer that says "not taken" makes up for it.
fn note_busy(run: &Run, repeat: Repeat, code: &str) {
    let mut tally = run.tally();
    tally.retries_busy += 1;
    if repeat == Repeat::Unsafe && !matches!(code, "OVERLOADED" | "RATE_LIMITED") {
        tally.repeated_unsafely += 1;
    }
}
