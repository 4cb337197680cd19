//! Wakes whoever lets arrivals in, when they are due.
//!
//! The runtime's own timers go by milliseconds, rounded up twice (the timer wheel and `epoll`), which
//! would add a millisecond or two to every latency that counts from the scheduled moment. A thread
//! that sleeps is late by some 60 µs. Arrivals closer together than a nap come as one, so that a high
//! rate does not cost a wake-up each.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::engine::schedule::Schedule;

/// The shortest sleep: 4,000 wake-ups a second at most.
const NAP_MIN: Duration = Duration::from_micros(250);
/// The longest, so that the thread of an abandoned run ends.
const NAP_MAX: Duration = Duration::from_millis(100);

/// Notifies `gate` when arrivals of `schedule`, counted from `began`, are due, for as long as
/// somebody else has the gate.
pub(crate) fn start(schedule: Schedule, began: Instant, gate: Arc<Notify>) -> io::Result<()> {
    let pace = move || {
        let mut schedule = schedule.peekable();
        while let Some(due) = schedule.peek() {
            let wake = (began + *due).max(Instant::now() + NAP_MIN);
            while let Some(left) = wake.checked_duration_since(Instant::now()) {
                if Arc::strong_count(&gate) == 1 {
                    return;
                }
                thread::sleep(left.min(NAP_MAX));
            }
            // Read before the gate opens: who is let in then is at least whoever is due by now, so
            // nobody is passed over here who still waits there.
            let now = began.elapsed();
            gate.notify_one();
            while schedule.next_if(|due| *due <= now).is_some() {}
        }
    };
    thread::Builder::new().name("pacer".into()).spawn(pace).map(drop)
}
