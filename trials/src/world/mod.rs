//! A world in one process: the embedded servers, and what stands between them and the programs.
//!
//! Every call of a program to a server goes through a [`Tap`], which lets the world's [`Director`]
//! say what it meets: nothing, a delay, an error before or after the deed, a crash. A program that
//! crashed is a program whose calls never return.

mod bus;
mod clock;
mod director;
mod ledger;
mod node;
mod queue;
mod redis;
mod tap;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::adapters::embedded::{
    EmbeddedBus, EmbeddedGate, EmbeddedIdempotencyMap, EmbeddedLedger, EmbeddedQueue,
};
use shared::domain::{ProductId, StockLevel, Timestamp};

pub(crate) use self::clock::SimulatedClock;
pub(crate) use self::director::{Call, Director, Fate};
pub(crate) use self::node::Node;
use self::tap::Tap;
use crate::checker::{Commit, Evidence};
use crate::history::{History, Line, What};

/// Messages that the queue takes; more are refused.
const QUEUE_MAX: usize = 10_000;

/// Announcements that a subscriber may be behind.
const BACKLOG_MAX: usize = 64;

/// The servers, and everything that is written down about them.
pub(crate) struct World {
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) director: Box<dyn Director>,
    pub(crate) ledger: Arc<EmbeddedLedger>,
    pub(crate) gate: EmbeddedGate,
    pub(crate) map: EmbeddedIdempotencyMap,
    pub(crate) queue: EmbeddedQueue,
    pub(crate) bus: EmbeddedBus,
    notes: Mutex<Notes>,
}

/// What is written down.
#[derive(Default)]
struct Notes {
    history: History,
    commits: Vec<Commit>,
    /// Every call and every event of the world, one line each.
    trace: String,
    /// The stock that the last commit left.
    known: BTreeMap<ProductId, StockLevel>,
}

/// Runs `life` on one thread in virtual time, everything random in the programs beginning with
/// `seed`.
pub(crate) fn in_virtual_time<T>(seed: u64, life: impl Future<Output = T>) -> T {
    fastrand::seed(seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        Ok(runtime) => runtime.block_on(life),
        // Without memory or files there is nothing to be said of the programs.
        Err(error) => panic!("no runtime: {error}"),
    }
}

impl World {
    /// Servers with nothing in them.
    pub(crate) fn new(director: Box<dyn Director>, clock: SimulatedClock) -> Arc<Self> {
        let clock = Arc::new(clock);
        Arc::new(Self {
            director,
            ledger: Arc::new(EmbeddedLedger::new(clock.clone())),
            gate: EmbeddedGate::default(),
            map: EmbeddedIdempotencyMap::default(),
            queue: EmbeddedQueue::new(QUEUE_MAX),
            bus: EmbeddedBus::with_backlog(BACKLOG_MAX),
            clock,
            notes: Mutex::default(),
        })
    }

    /// The present moment, by the ledger's clock, which is also the clients'.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.read()
    }

    /// Writes down what a client did or saw.
    pub(crate) fn note(&self, what: What) {
        let at = self.now();
        self.notes().history.0.push(Line { at, what });
    }

    /// Writes a line of the trace.
    pub(crate) fn trace(&self, line: impl std::fmt::Display) {
        use std::fmt::Write as _;
        let at = self.now().millis() - clock::EPOCH_MS;
        // Writing into memory cannot fail.
        let _ = writeln!(self.notes().trace, "{at:>7} {line}");
    }

    /// Writes down what the last call to the ledger left.
    pub(crate) fn watch_stock(&self) {
        let at = self.now();
        let stock = self.ledger.levels();
        let mut notes = self.notes();
        for level in stock {
            if notes.known.insert(level.product_id, level) != Some(level) {
                notes.commits.push(Commit { at, level });
            }
        }
    }

    /// The history and the trace so far.
    pub(crate) fn trace_so_far(&self) -> String {
        let notes = self.notes();
        notes.trace.clone() + &notes.history.to_json_lines()
    }

    /// Everything that is known now.
    pub(crate) async fn evidence(&self, listening: Vec<String>, stale_ms: i64) -> Evidence {
        use shared::ports::{PurchaseQueue, StockGate};
        let ledger = self.ledger.contents();
        let products: Vec<_> = ledger.products.iter().map(|product| product.id).collect();
        let gate = self.gate.levels(&products).await.unwrap_or_default();
        let status = self.queue.status().await.unwrap_or_default();
        let dead = self.queue.dead_messages();
        let notes = self.notes();
        Evidence {
            history: notes.history.clone(),
            ledger,
            gate,
            queued: status.depth,
            dead,
            commits: notes.commits.clone(),
            listening,
            stale_ms,
            commit_ms: 0,
            rest: None,
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
