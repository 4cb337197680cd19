//! Pauses between attempts: doubled each time, jittered so that a herd of programs spreads out.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);

pub(super) struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub(super) fn new(max: Duration) -> Self {
        Self { next: FIRST.min(max), max }
    }

    /// The next pause: between half and all of the current step.
    pub(super) fn pause(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.max);
        step.mul_f64(rand::random_range(0.5..=1.0))
    }

    pub(super) fn reset(&mut self) {
        self.next = FIRST.min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_jittered() {
        let mut backoff = Backoff::new(Duration::from_millis(300));
        for step in [50, 100, 200, 300, 300] {
            let pause = backoff.pause();
            let step = Duration::from_millis(step);
            assert!(pause >= step / 2 && pause <= step, "{pause:?} for a step of {step:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
    }
}
