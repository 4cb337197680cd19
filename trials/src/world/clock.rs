//! Clocks over tokio's paused time.

use std::sync::atomic::{AtomicI64, Ordering};

use shared::domain::Timestamp;
use shared::ports::Clock;
use tokio::time::Instant;

/// When every world begins: 2026-01-01T00:00:00Z.
pub(crate) const EPOCH_MS: i64 = 1_767_225_600_000;

/// A clock that shows the world's time, or somewhat earlier or later.
pub(crate) struct SimulatedClock {
    /// None for a clock that stands.
    began: Option<Instant>,
    offset_ms: AtomicI64,
}

impl SimulatedClock {
    /// A clock that begins now. Within a runtime whose time is paused.
    pub(crate) fn new() -> Self {
        Self { began: Some(Instant::now()), offset_ms: AtomicI64::new(0) }
    }

    /// A clock that stands still: what happens when no time passes.
    pub(crate) fn standing() -> Self {
        Self { began: None, offset_ms: AtomicI64::new(0) }
    }

    /// A clock of the same world that goes wrong on its own.
    pub(crate) fn another(&self) -> Self {
        Self { began: self.began, offset_ms: AtomicI64::new(0) }
    }

    /// Sets how far it is wrong.
    pub(crate) fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }

    /// The moment it shows.
    pub(crate) fn read(&self) -> Timestamp {
        let elapsed = self.began.map_or(0, |began| began.elapsed().as_millis());
        let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
        Timestamp::from_millis(EPOCH_MS + elapsed + self.offset_ms.load(Ordering::Relaxed))
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.read()
    }
}
