//! What goes wrong, and how often. Every life has a weather of its own: some kinds of faults are
//! frequent, some rare and some absent, since faults hide each other.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use shared::domain::Purchase;
use tokio::time::{Instant, sleep};

use super::programs::Programs;
use super::shop;
use crate::world::{Call, Director, Fate, Node, World};

/// How far a program's clock may be wrong.
pub(super) const CLOCK_WRONG_MS_MAX: i64 = 400;

/// The longest that a call takes to begin, and to be answered.
pub(super) const SLOW_MS_MAX: u64 = 3_000;

/// The servers that can be away.
const SERVERS: usize = 4;

/// How often what happens, in thousandths of calls.
#[derive(Debug, Clone, Copy)]
struct Climate {
    error_before: [u32; SERVERS],
    error_after: [u32; SERVERS],
    crash: u32,
    slow: u32,
    slow_ms_max: u64,
    hold_back: u32,
    repeat: u32,
    /// The buyer, if there is one, whose purchases the ledger cannot write.
    poisonous: Option<u32>,
}

impl Climate {
    fn of(rng: &mut Rng) -> Self {
        let mut often = |choices: &[u32]| choices[rng.usize(..choices.len())];
        Self {
            error_before: [(); SERVERS].map(|()| often(&[0, 0, 10, 100])),
            error_after: [(); SERVERS].map(|()| often(&[0, 0, 10, 100])),
            crash: often(&[0, 1, 5, 60]),
            slow: often(&[0, 20, 200]),
            slow_ms_max: u64::from(often(&[50, 400, SLOW_MS_MAX as u32])),
            hold_back: often(&[0, 50, 300]),
            repeat: often(&[0, 20, 200]),
            poisonous: (rng.u32(..8) == 0).then(|| rng.u32(..shop::USERS)),
        }
    }
}

/// The weather of one life.
pub(super) struct Weather {
    climate: Climate,
    rng: Mutex<Rng>,
    record: Arc<Record>,
}

/// What everybody may know of the weather.
#[derive(Default)]
pub(super) struct Record {
    calm: AtomicBool,
    calls: AtomicU64,
    faults: AtomicU64,
    /// Until when each server is away.
    away: Mutex<[Option<Instant>; SERVERS]>,
}

impl Record {
    /// Ends all faults.
    pub(super) fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// Calls so far, and faults that they met.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.faults.load(Ordering::Relaxed))
    }

    fn is_away(&self, server: usize) -> bool {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        away[server].is_some_and(|until| until > Instant::now())
    }
}

const fn server(call: Call) -> usize {
    match call {
        Call::Ledger(_) => 0,
        Call::Gate(_) | Call::Map(_) => 1,
        Call::Queue(_) => 2,
        Call::Bus(_) => 3,
    }
}

impl Weather {
    pub(super) fn new(mut rng: Rng) -> (Self, Arc<Record>) {
        let record = Arc::new(Record::default());
        let climate = Climate::of(&mut rng);
        (Self { climate, rng: Mutex::new(rng), record: Arc::clone(&record) }, record)
    }

    fn roll<T>(&self, dice: impl FnOnce(&mut Rng, &Climate) -> T) -> T {
        dice(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner), &self.climate)
    }

    fn is_calm(&self) -> bool {
        self.record.calm.load(Ordering::Relaxed)
    }

    /// A moment, or longer.
    async fn take_time(&self) {
        let ms = self.roll(|rng, climate| {
            if hits(rng, climate.slow) { rng.u64(..=climate.slow_ms_max) } else { rng.u64(..=2) }
        });
        if ms > 0 {
            sleep(Duration::from_millis(ms)).await;
        }
    }
}

fn hits(rng: &mut Rng, permille: u32) -> bool {
    rng.u32(..1_000) < permille
}

#[async_trait]
impl Director for Weather {
    async fn meet(&self, _: &Node, call: Call) -> Fate {
        self.record.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_calm() {
            return Fate::Clean;
        }
        self.take_time().await;
        let at = server(call);
        let fate = if self.record.is_away(at) {
            Fate::ErrorBefore
        } else {
            self.roll(|rng, climate| {
                if hits(rng, climate.crash) {
                    return if rng.bool() { Fate::CrashBefore } else { Fate::CrashAfter };
                }
                if hits(rng, climate.error_before[at]) {
                    return Fate::ErrorBefore;
                }
                if hits(rng, climate.error_after[at]) { Fate::ErrorAfter } else { Fate::Clean }
            })
        };
        if self.is_calm() {
            return Fate::Clean;
        }
        self.record.faults.fetch_add(u64::from(fate != Fate::Clean), Ordering::Relaxed);
        fate
    }

    async fn done(&self, _: &Node, _: Call, _: &(dyn fmt::Debug + Send + Sync)) {
        if !self.is_calm() {
            self.take_time().await;
        }
    }

    fn hold_back(&self) -> usize {
        if self.is_calm() {
            return 0;
        }
        self.roll(|rng, climate| if hits(rng, climate.hold_back) { rng.usize(1..4) } else { 0 })
    }

    fn poisons(&self, batch: &[Purchase]) -> bool {
        let Some(number) = self.climate.poisonous else { return false };
        let user = format!("u-{number}");
        batch.iter().any(|purchase| purchase.terms.user_id.as_str() == user)
    }

    fn repeats(&self) -> bool {
        !self.is_calm() && self.roll(|rng, climate| hits(rng, climate.repeat))
    }
}

/// Storms: servers that are away or forget, programs that are killed or stopped, clocks that jump.
pub(super) async fn rage(
    world: Arc<World>,
    programs: Arc<Programs>,
    record: Arc<Record>,
    mut rng: Rng,
) {
    // Some lives are quiet but for what calls meet.
    let every_ms = [300, 1_500, 20_000][rng.usize(..3)];
    loop {
        sleep(Duration::from_millis(rng.u64(1..every_ms))).await;
        let ms = [100, 800, 4_000][rng.usize(..3)];
        let until = Instant::now() + Duration::from_millis(rng.u64(1..ms));
        match rng.u32(..7) {
            0 => {
                world.trace("the gate forgets everything");
                world.gate.flush();
            }
            1 => {
                world.trace("the map forgets everything");
                world.map.flush();
            }
            2 | 3 => {
                let server = rng.usize(..SERVERS);
                world.trace(format_args!("server {server} is away for up to {ms} ms"));
                let mut away = record.away.lock().unwrap_or_else(PoisonError::into_inner);
                away[server] = Some(until);
            }
            4 => programs.kill_one(&mut rng),
            5 => programs.stop_one(&mut rng, until),
            _ => programs.set_clock(&mut rng, CLOCK_WRONG_MS_MAX),
        }
    }
}
