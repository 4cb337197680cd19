//! Where the time comes from.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::Timestamp;

/// The wall clock. Durations and sleeps are tokio's, which tests can pause.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    // The one place that reads the wall clock. Before 1970 it is 1970.
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock corrected by its measured offset from the ledger's, so that every API instance judges
/// the opening of a sale by the same moment.
pub struct LedgerClock {
    clock: Arc<dyn Clock>,
    offset_ms: AtomicI64,
}

impl LedgerClock {
    /// A clock that has not been corrected yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, offset_ms: AtomicI64::new(0) }
    }

    /// Notes that the ledger's clock showed `ledger_time` between `asked` and now, both by the
    /// machine's clock. A measurement that took longer than 100 ms says too little and is ignored.
    pub fn correct(&self, asked: Timestamp, ledger_time: Timestamp) {
        let answered = self.clock.now().millis();
        let round_trip = answered - asked.millis();
        if (0..=100).contains(&round_trip) {
            let middle = asked.millis() + round_trip / 2;
            self.offset_ms.store(ledger_time.millis() - middle, Ordering::Relaxed);
        }
    }

    /// The machine's own time, for measuring a round trip.
    pub fn local(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Clock for LedgerClock {
    fn now(&self) -> Timestamp {
        self.clock.now().plus_millis(self.offset_ms.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(AtomicI64);

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn the_offset_is_measured_from_the_middle_of_the_round_trip() {
        let machine = Arc::new(Fixed(AtomicI64::new(1_000)));
        let clock = LedgerClock::new(machine.clone());
        let asked = clock.local();
        machine.0.store(1_020, Ordering::Relaxed);
        clock.correct(asked, Timestamp::from_millis(5_010));
        assert_eq!(clock.now(), Timestamp::from_millis(5_020));
    }

    #[test]
    fn a_slow_measurement_says_too_little() {
        let machine = Arc::new(Fixed(AtomicI64::new(0)));
        let clock = LedgerClock::new(machine.clone());
        machine.0.store(101, Ordering::Relaxed);
        clock.correct(Timestamp::from_millis(0), Timestamp::from_millis(9_000));
        assert_eq!(clock.now(), Timestamp::from_millis(101));
    }
}
