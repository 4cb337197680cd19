//! Random lives of a small shop: the real programs over the embedded servers, with faults.
//!
//! Everything that happens follows from the seed: time is virtual, there is one thread, and whatever
//! is random comes from generators that the seed begins. First there are faults (safety: nothing
//! that must never happen may happen), then there are none (liveness: all that was promised must
//! come true).

mod clients;
mod desk;
mod programs;
mod shop;
mod weather;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep, timeout};

use self::clients::Clients;
use self::programs::Programs;
use self::weather::Weather;
use crate::checker::{Breach, check};
use crate::world::{SimulatedClock, World, in_virtual_time};

/// How long there are faults.
const STORM: Duration = Duration::from_secs(12);
/// How long clients may take to learn what became of what they did, once there are none.
const PATIENCE: Duration = Duration::from_secs(120);
/// An announcement whose payer died is found when its lease (5 s) has run out.
const AFTERMATH: Duration = Duration::from_secs(30);
/// The gate and the boards agree with the ledger so long after the last commit.
const CONVERGENCE: Duration = Duration::from_millis(2_500);
/// What an edge may go by: boards that are fresh (2 s) and a clock that was wrong meanwhile.
const STALE_MS: i64 = 2_000 + weather::CLOCK_WRONG_MS_MAX;

/// What a life came to.
#[derive(Debug, Clone)]
pub struct Life {
    /// It repeats by this.
    pub seed: u64,
    /// What must not be.
    pub breaches: Vec<Breach>,
    /// Every call and every event, then the clients' history.
    pub trace: String,
    /// How much happened.
    pub counts: Counts,
}

/// How much happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Orders in the ledger.
    pub orders: usize,
    /// Of those, parked.
    pub parked: usize,
    /// Calls of programs to servers.
    pub calls: u64,
    /// Faults that calls met.
    pub faults: u64,
    /// Programs that died.
    pub deaths: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.orders += other.orders;
        self.parked += other.parked;
        self.calls += other.calls;
        self.faults += other.faults;
        self.deaths += other.deaths;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, parked, calls, faults, deaths } = self;
        write!(
            f,
            "{orders} orders ({parked} parked), {calls} calls, {faults} faults, {deaths} deaths"
        )
    }
}

impl Life {
    /// The breaches, and how to see them again; nothing where there are none.
    pub fn report(&self) -> String {
        let Self { seed, breaches, .. } = self;
        if breaches.is_empty() {
            return String::new();
        }
        let mut lines: Vec<_> =
            breaches.iter().map(|breach| format!("seed {seed}: {breach}")).collect();
        let again = "again: cargo run -p doorbuster-trials -- simulate --trace --seed";
        lines.push(format!("{again} {seed}\n"));
        lines.join("\n")
    }
}

/// Lives `lives` lives, with seeds from `first` on, on every processor; hands each to `each` when it
/// is over, in no order.
pub fn live_all(first: u64, lives: u64, mut each: impl FnMut(Life)) {
    let next = AtomicU64::new(first);
    let (over, lived) = mpsc::channel();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (next, over) = (&next, over.clone());
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - first >= lives || over.send(live(seed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(over);
        lived.iter().for_each(&mut each);
    });
}

/// Lives the life of `seed`.
pub fn live(seed: u64) -> Life {
    in_virtual_time(seed, life(seed))
}

async fn life(seed: u64) -> Life {
    let mut rng = Rng::with_seed(seed);
    let (weather, record) = Weather::new(rng.fork());
    let world = World::new(Box::new(weather), SimulatedClock::new());
    let shop = shop::open(&world, &mut rng).await;
    let programs = Programs::start(&world, rng.fork());
    let mut clients = Clients::start(&world, &programs, &shop, &mut rng);

    let storm =
        tokio::spawn(weather::rage(world.clone(), programs.clone(), record.clone(), rng.fork()));
    sleep(STORM).await;
    storm.abort();
    record.calm();
    programs.heal();
    world.trace("calm");
    // Calls that are under way may still be slow.
    sleep(Duration::from_millis(2 * weather::SLOW_MS_MAX)).await;

    let served = timeout(PATIENCE, clients.finish()).await.is_ok();
    if !served {
        world.trace("some clients still wait");
    }
    clients.buy_what_is_left(&shop).await;
    let aftermath = Instant::now() + AFTERMATH;
    while world.ledger.contents().dues > 0 && Instant::now() < aftermath {
        sleep(Duration::from_millis(100)).await;
    }
    sleep(CONVERGENCE).await;

    let evidence = world.evidence(programs.listening(), STALE_MS).await;
    let (calls, faults) = record.counts();
    let parked = |order: &&shared::domain::Order| order.status == shared::domain::Status::Parked;
    let counts = Counts {
        orders: evidence.ledger.orders.len(),
        parked: evidence.ledger.orders.iter().filter(parked).count(),
        calls,
        faults,
        deaths: programs.deaths(),
    };
    Life { seed, breaches: check(&evidence), trace: world.trace_so_far(), counts }
}
