//! What the crowd was told, and how late.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use indicatif::HumanCount;
use serde_json::Value;

use crate::latency::Latency;

/// What everybody was told.
pub(crate) struct Tally {
    inner: Mutex<Inner>,
    lost: AtomicUsize,
}

struct Inner {
    /// What each client was told last.
    seen: Vec<Seen>,
    connected: usize,
    /// The news counts from now on, until the end.
    counting: bool,
    place_frames: u64,
    stock_frames: u64,
    place: Latency,
    stock: Latency,
    /// When so many units were left, by the one who bought.
    sold_at: HashMap<i64, Instant>,
    purchases: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    now_serving: Option<u64>,
    available: Option<i64>,
    /// Let in.
    is_in: bool,
    /// The sale is over.
    knows_the_end: bool,
}

/// Who had not heard the last news.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) places: usize,
    pub(crate) stocks: usize,
}

/// Delays at percentiles, in milliseconds.
pub(crate) type Delays = Option<[f64; 4]>;

/// The percentiles of delays.
pub(crate) const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 100.0];

impl Tally {
    pub(crate) fn new(clients: usize) -> Self {
        let inner = Inner {
            seen: vec![Seen::default(); clients],
            connected: 0,
            counting: false,
            place_frames: 0,
            stock_frames: 0,
            place: Latency::new(),
            stock: Latency::new(),
            sold_at: HashMap::new(),
            purchases: 0,
        };
        Self { inner: Mutex::new(inner), lost: AtomicUsize::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everybody was told something, or was lost, or it takes too long.
    pub(crate) async fn all_connected(&self, patience: Duration) {
        let give_up = Instant::now() + patience;
        while Instant::now() < give_up && {
            let inner = self.lock();
            inner.connected + self.lost.load(Ordering::Relaxed) < inner.seen.len()
        } {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Counts from now on.
    pub(crate) fn begin(&self) {
        self.lock().counting = true;
    }

    /// Nothing counts any more.
    pub(crate) fn end(&self) {
        self.lock().counting = false;
    }

    /// Waits until everybody in line knows that it is over, or it takes too long; how long it took.
    pub(crate) async fn all_know_the_end(&self, patience: Duration) -> Duration {
        let began = Instant::now();
        while began.elapsed() < patience && self.behind() != Behind::default() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed()
    }

    /// Whether a client knows that it is over.
    pub(crate) fn knows_the_end(&self, n: usize) -> bool {
        self.lock().seen[n].knows_the_end
    }

    /// A client could not stay.
    pub(crate) fn lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody bought, and so many units are left.
    pub(crate) fn sold(&self, left: i64) {
        let mut inner = self.lock();
        inner.purchases += 1;
        inner.sold_at.insert(left, Instant::now());
    }

    /// Client `n` was told this; the pass if there is one in it for the first time.
    pub(crate) fn take(&self, n: usize, told: &Value) -> Option<String> {
        let mut inner = self.lock();
        let before = inner.seen[n];
        if before.now_serving.is_none() && before.available.is_none() {
            inner.connected += 1;
        }
        let counting = inner.counting;
        if let Some(now_serving) = told["nowServing"].as_u64() {
            let is_in = told["status"] == "ADMITTED";
            inner.seen[n].now_serving = Some(now_serving);
            inner.seen[n].is_in = is_in;
            inner.seen[n].knows_the_end = told["status"] == "CANCELLED";
            if counting && before.now_serving.is_some() {
                inner.place_frames += 1;
                if let Some(delay) = delay(&told["asOf"]) {
                    inner.place.record(delay);
                }
            }
            return told["pass"].as_str().filter(|_| is_in && !before.is_in).map(str::to_owned);
        }
        if let Some(available) = told["availableCount"].as_i64() {
            inner.seen[n].available = Some(available);
            if counting && before.available.is_some() {
                inner.stock_frames += 1;
                let sold_at = inner.sold_at.get(&available).copied();
                // Who hears of it before the buyer does was told at once.
                let delay = sold_at.map_or(Duration::ZERO, |at| at.elapsed());
                inner.stock.record(delay);
            }
        }
        None
    }

    /// Who in line does not know that it is over, and who has not heard of the last unit sold.
    pub(crate) fn behind(&self) -> Behind {
        let inner = self.lock();
        let in_line = inner.seen.iter().filter(|seen| seen.now_serving.is_some());
        let places = in_line.filter(|seen| !seen.knows_the_end).count();
        let fewest = inner.seen.iter().filter_map(|seen| seen.available).min();
        let watching = inner.seen.iter().filter(|seen| seen.available.is_some());
        Behind { places, stocks: watching.filter(|seen| seen.available > fewest).count() }
    }

    /// How it goes.
    pub(crate) fn line(&self) -> String {
        let inner = self.lock();
        let inside = inner.seen.iter().filter(|seen| seen.is_in).count();
        let frames = inner.place_frames + inner.stock_frames;
        let lost = self.lost.load(Ordering::Relaxed);
        format!(
            "{} let in, {} purchases, {} frames, {lost} lost",
            HumanCount(inside as u64),
            HumanCount(inner.purchases),
            HumanCount(frames),
        )
    }

    /// How late news of places came: frames, delays.
    pub(crate) fn places(&self) -> (u64, Delays) {
        let inner = self.lock();
        (inner.place_frames, inner.place.at(PERCENTILES))
    }

    /// How late news of stock came: frames, delays.
    pub(crate) fn stocks(&self) -> (u64, Delays) {
        let inner = self.lock();
        (inner.stock_frames, inner.stock.at(PERCENTILES))
    }

    /// Purchases.
    pub(crate) fn purchases(&self) -> u64 {
        self.lock().purchases
    }
}

/// How long ago that was, by the clock that the shop shares with us.
fn delay(as_of: &Value) -> Option<Duration> {
    let as_of: DateTime<Utc> = as_of.as_str()?.parse().ok()?;
    Some((Utc::now() - as_of).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_has_not_heard_the_last_news_is_behind() {
        let tally = Tally::new(4);
        let waiting = json!({"nowServing": 5, "status": "WAITING", "asOf": Utc::now()});
        let over = json!({"nowServing": 5, "status": "CANCELLED", "asOf": Utc::now()});
        assert_eq!(tally.take(0, &waiting), None);
        assert_eq!(tally.take(1, &over), None);
        tally.take(2, &json!({"availableCount": 7}));
        tally.take(3, &json!({"availableCount": 6}));
        assert_eq!(tally.behind(), Behind { places: 1, stocks: 1 });
        assert!(tally.knows_the_end(1) && !tally.knows_the_end(0));
    }

    #[test]
    fn a_pass_is_taken_once() {
        let tally = Tally::new(1);
        let let_in = json!({"nowServing": 5, "status": "ADMITTED", "pass": "p"});
        assert_eq!(tally.take(0, &let_in), Some("p".into()));
        assert_eq!(tally.take(0, &let_in), None);
    }

    #[test]
    fn delays_count_from_the_beginning_on() {
        let tally = Tally::new(1);
        let told = json!({"nowServing": 1, "asOf": Utc::now() - Duration::from_millis(500)});
        tally.take(0, &told);
        tally.begin();
        tally.take(0, &told);
        let (frames, delays) = tally.places();
        assert_eq!(frames, 1);
        assert!(delays.unwrap()[0] >= 500.0);
    }
}
