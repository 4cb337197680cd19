//! Where connections get the next arrival from.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore};

use crate::engine::load::Load;
use crate::engine::pacer;
use crate::engine::recorder::Recorder;
use crate::engine::schedule::Schedule;
use crate::measure::Arrivals;

/// One buyer, or reader.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) number: u64,
    /// The moment from which everything counts.
    pub(crate) due: Instant,
}

/// Lets arrivals in.
pub(crate) struct Turnstile {
    next_number: AtomicU64,
    began: Instant,
    kind: Kind,
}

enum Kind {
    /// Whenever a connection is free, until the end.
    Closed { end: Instant },
    /// When they are due.
    Open(Line),
}

/// Arrivals of an open loop that no connection has taken yet, in their order.
struct Line {
    due: Mutex<VecDeque<Instant>>,
    /// A permit for each of them, and at the end one for each connection.
    length: Semaphore,
    schedule: Schedule,
    late_max: Duration,
    connections: usize,
}

impl Turnstile {
    pub(crate) fn new(load: &Load, began: Instant) -> Self {
        let kind = match &load.arrivals {
            Arrivals::Closed { .. } => Kind::Closed { end: began + load.warm_up + load.duration },
            Arrivals::Open { rates, connections } => Kind::Open(Line {
                due: Mutex::default(),
                length: Semaphore::new(0),
                schedule: Schedule::new(rates, load.warm_up, load.duration),
                late_max: load.late_max,
                connections: *connections,
            }),
        };
        Self { next_number: AtomicU64::new(0), began, kind }
    }

    /// Lets arrivals in as they fall due, until the last; at once over in a closed loop.
    pub(crate) async fn let_in(&self, recorder: &Recorder) -> io::Result<()> {
        let Kind::Open(line) = &self.kind else { return Ok(()) };
        let gate = Arc::new(Notify::new());
        pacer::start(line.schedule.clone(), self.began, gate.clone())?;
        let mut schedule = line.schedule.clone().map(|due| self.began + due).peekable();
        while schedule.peek().is_some() {
            gate.notified().await;
            let now = Instant::now();
            let mut count = 0;
            {
                let (mut waiting, mut record) = (line.due(), recorder.record());
                while let Some(due) = schedule.next_if(|due| *due <= now) {
                    record.due(due);
                    waiting.push_back(due);
                    count += 1;
                }
            }
            line.length.add_permits(count);
        }
        line.length.add_permits(line.connections);
        Ok(())
    }

    /// The next arrival, once there is one; `None` after the last.
    pub(crate) async fn next(&self, recorder: &Recorder) -> Option<Arrival> {
        let due = match &self.kind {
            Kind::Closed { end } => {
                let now = Instant::now();
                if now >= *end {
                    return None;
                }
                recorder.record().due(now);
                now
            }
            Kind::Open(line) => line.next(recorder).await?,
        };
        Some(Arrival { number: self.next_number.fetch_add(1, Ordering::Relaxed), due })
    }
}

impl Line {
    async fn next(&self, recorder: &Recorder) -> Option<Instant> {
        loop {
            // The semaphore is never closed.
            self.length.acquire().await.ok()?.forget();
            let due = self.due().pop_front()?;
            if due.elapsed() <= self.late_max {
                return Some(due);
            }
            recorder.record().dropped(due);
        }
    }

    /// Never held across an await.
    fn due(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::scenario::Scenario;

    use super::*;

    /// Takes everything that comes in a run of a few milliseconds.
    async fn take_all(rate: f64) -> (u64, u64) {
        let arrivals = Arrivals::Open { rates: vec![(0.0, rate)], connections: 2 };
        let duration = Duration::from_millis(4);
        let load = Load {
            duration,
            warm_up: Duration::ZERO,
            ..Load::new(Vec::new(), Scenario::Accept, arrivals)
        };
        let began = Instant::now();
        let (turnstile, recorder) = (Turnstile::new(&load, began), Recorder::new(began, duration));
        let take = async || {
            let mut taken = 0;
            while turnstile.next(&recorder).await.is_some() {
                taken += 1;
            }
            taken
        };
        let (let_in, one, other) = tokio::join!(turnstile.let_in(&recorder), take(), take());
        let_in.unwrap();
        (one + other, recorder.record().due)
    }

    #[tokio::test]
    async fn whoever_is_due_is_let_in_once_however_fast_they_come() {
        for rate in [250.0, 10_000.0, 250_000.0] {
            for _ in 0..100 {
                let (taken, due) = take_all(rate).await;
                assert_eq!((taken, due), ((rate / 250.0) as u64, taken));
            }
        }
    }
}
