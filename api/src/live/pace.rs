//! How fast frames are pushed, by all hubs of this program together.
//!
//! Two things bound it: the configuration, and the machine. Whoever pushed rests for as long as the program was
//! busy with it, so that pushing never takes more than half of the time, however slow or busy the machine is.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared::config::Live;
use tokio::time::Instant;

/// Timers are no finer than this.
const TOLERANCE: Duration = Duration::from_millis(2);

/// A common pace: so many frames a second, whoever pushes them. What is left of the machine is for purchases.
#[derive(Debug)]
pub struct Pace {
    per_frame: Duration,
    /// When the frames that were let go are surely out.
    free_at: Mutex<Instant>,
}

impl Pace {
    /// The pace of the configuration.
    pub fn new(live: &Live) -> Self {
        let per_frame = Duration::from_secs(1) / live.frames_per_second.get();
        Self { per_frame, free_at: Mutex::new(Instant::now()) }
    }

    /// Waits until so many more frames may go.
    pub async fn take(&self, frames: usize) {
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        let wait = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = (*free_at).max(now);
            *free_at = turn + self.per_frame.saturating_mul(frames);
            turn - now
        };
        if wait > TOLERANCE {
            tokio::time::sleep(wait).await;
        }
    }

    /// Call it when frames were handed out: lets those who have them go first, and notes how long that took.
    pub async fn rest(&self) {
        let began = Instant::now();
        // Comes back behind all that was ready to run.
        tokio::task::yield_now().await;
        let rested_at = Instant::now() + began.elapsed();
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        *free_at = (*free_at).max(rested_at);
    }
}
