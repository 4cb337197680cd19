//! What is counted while the load is on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::engine::heard::Heard;
use crate::engine::scenario::Expected;
use crate::engine::turnstile::Arrival;
use crate::figures::{Counts, rounded};
use crate::latency::Latency;
use crate::measure::Tick;

/// Shared by the tasks of one run. They share one thread too, so nobody ever waits for the lock.
pub(crate) struct Recorder(Mutex<Record>);

/// Counts and distributions. It grows by 16 bytes per tracking ID, and by a tick each 100 ms.
pub(crate) struct Record {
    /// The measured time.
    start: Instant,
    end: Instant,
    pub(crate) due: u64,
    pub(crate) dropped: u64,
    pub(crate) answered: u64,
    /// Answers that came within the measured time, whenever they were asked for.
    pub(crate) answered_in_time: u64,
    pub(crate) refused: Counts,
    pub(crate) failed: Counts,
    pub(crate) acknowledged: Latency,
    pub(crate) turned_away: Latency,
    pub(crate) outcome: Latency,
    pub(crate) ticks: Vec<Tick>,
    tick: Open,

    // For the books: all of the run, the warm-up too.
    /// Tracking IDs of all 202s, where they are kept.
    pub(crate) accepted: Vec<Uuid>,
    /// 202s that were asked for.
    pub(crate) accepted_ever: u64,
    /// All answers as asked for.
    pub(crate) answered_ever: u64,
    /// Requests that may have counted although no usable answer came.
    pub(crate) in_doubt: u64,
    pub(crate) last_sent: Instant,
}

/// The tick that is under way.
struct Open {
    due: u64,
    answered: u64,
    refused: u64,
    acknowledged: Latency,
    settled_before: u64,
}

impl Recorder {
    pub(crate) fn new(start: Instant, duration: Duration) -> Self {
        Self(Mutex::new(Record {
            start,
            end: start + duration,
            due: 0,
            dropped: 0,
            answered: 0,
            answered_in_time: 0,
            refused: Counts::new(),
            failed: Counts::new(),
            acknowledged: Latency::new(),
            turned_away: Latency::new(),
            outcome: Latency::new(),
            ticks: Vec::new(),
            tick: Open {
                due: 0,
                answered: 0,
                refused: 0,
                acknowledged: Latency::new(),
                settled_before: 0,
            },
            accepted: Vec::new(),
            accepted_ever: 0,
            answered_ever: 0,
            in_doubt: 0,
            last_sent: start,
        }))
    }

    /// Never held across an await.
    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// Somebody falls due at that moment.
    pub(crate) fn due(&mut self, due: Instant) {
        self.due += u64::from(due >= self.start);
        self.tick.due += 1;
    }

    /// Nobody took the arrival in time.
    pub(crate) fn dropped(&mut self, due: Instant) {
        self.dropped += u64::from(due >= self.start);
    }

    /// What was heard, just now, of `arrival`, which was sent at `sent`.
    pub(crate) fn heard(
        &mut self,
        arrival: Arrival,
        sent: Instant,
        expected: Expected,
        heard: &Heard<'_>,
    ) {
        let now = Instant::now();
        self.last_sent = self.last_sent.max(sent);
        let is_measured = arrival.due >= self.start;
        match heard {
            Heard::Answered(id) => {
                self.accepted.extend(id);
                self.accepted_ever += u64::from(expected == Expected::Accepted);
                self.answered_ever += 1;
                self.tick.answered += 1;
                self.answered_in_time += u64::from((self.start..self.end).contains(&now));
                let took = now - arrival.due;
                self.tick.acknowledged.record(took);
                if is_measured {
                    self.answered += 1;
                    self.acknowledged.record(took);
                }
            }
            Heard::Refused(code) => {
                self.tick.refused += 1;
                if is_measured {
                    self.turned_away.record(now - arrival.due);
                    count(&mut self.refused, code);
                }
            }
            Heard::Failed(word, in_doubt) => {
                self.in_doubt += u64::from(*in_doubt);
                if is_measured {
                    count(&mut self.failed, word);
                }
            }
        }
    }

    /// A buyer whose request was due then could know the outcome by now.
    pub(crate) fn outcome(&mut self, due: Instant) {
        if due >= self.start {
            self.outcome.record(due.elapsed());
        }
    }

    /// Ends a tick; the first one is that of the warm-up, and not kept.
    pub(crate) fn tick(&mut self, is_kept: bool, settled: Option<u64>, waiting: Option<u64>) {
        let tick = &mut self.tick;
        if is_kept {
            let at_s = rounded(self.start.elapsed().as_secs_f64());
            self.ticks.push(Tick {
                at_s,
                due: tick.due,
                answered: tick.answered,
                refused: tick.refused,
                settled: settled.map(|settled| settled.saturating_sub(tick.settled_before)),
                waiting,
                acknowledged_p99_ms: tick.acknowledged.at([99.0]).map(|[p99]| p99),
            });
        }
        tick.settled_before = settled.unwrap_or_default();
        (tick.due, tick.answered, tick.refused) = (0, 0, 0);
        tick.acknowledged.clear();
    }
}

/// Allocates only for a word that is new.
fn count(counts: &mut Counts, word: &str) {
    match counts.get_mut(word) {
        Some(count) => *count += 1,
        None => drop(counts.insert(word.to_owned(), 1)),
    }
}
