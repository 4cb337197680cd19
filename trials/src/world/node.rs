//! A program that runs in the world, from its start to its end.

use std::sync::{Arc, Mutex, PoisonError};

use shared::adapters::embedded::{EmbeddedRates, EmbeddedRooms};
use shared::adapters::payments::SimulatedPayments;
use shared::ports::Ports;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::bus::TappedBus;
use super::ledger::TappedLedger;
use super::queue::TappedQueue;
use super::redis::{TappedGate, TappedMap};
use super::{SimulatedClock, Tap, World};

/// One life of a program.
pub(crate) struct Node {
    /// What it is called, such as `worker-1#2` for its second life.
    pub(crate) name: String,
    /// Its own clock.
    pub(crate) clock: Arc<SimulatedClock>,
    dead: CancellationToken,
    stopped_until: Mutex<Instant>,
    /// `stopped_until` was set. (A `watch` wakes its waiters in an order of its own.)
    set: Notify,
}

impl Node {
    /// A program that begins to live.
    pub(crate) fn new(world: &World, name: String) -> Arc<Self> {
        world.trace(format_args!("{name} starts"));
        Arc::new(Self {
            name,
            clock: Arc::new(world.clock.another()),
            dead: CancellationToken::new(),
            stopped_until: Mutex::new(Instant::now()),
            set: Notify::new(),
        })
    }

    /// Its ports: the world's servers, through taps.
    pub(crate) fn ports(self: &Arc<Self>, world: &Arc<World>) -> Ports {
        let tap = Tap::new(Arc::clone(world), Arc::clone(self));
        Ports {
            queue: Arc::new(TappedQueue::new(tap.clone())),
            gate: Arc::new(TappedGate(tap.clone())),
            idempotency: Arc::new(TappedMap(tap.clone())),
            rates: Arc::new(EmbeddedRates::default()),
            ledger: Arc::new(TappedLedger(tap.clone())),
            // Nobody logs in while everything breaks.
            identities: world.ledger.clone(),
            rooms: Arc::new(EmbeddedRooms::default()),
            room_book: world.ledger.clone(),
            bus: Arc::new(TappedBus(tap)),
            payments: Arc::new(SimulatedPayments),
            clock: self.clock.clone(),
        }
    }

    /// Kills it. None of its calls returns from now on.
    pub(crate) fn kill(&self) {
        self.dead.cancel();
    }

    /// True once it was killed.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    /// Resolves when it dies.
    pub(crate) async fn died(&self) {
        self.dead.cancelled().await;
    }

    /// Stops it until `until`, as SIGSTOP does: what it had asked for is done, and it will hear the
    /// answer later.
    pub(crate) fn stop_until(&self, until: Instant) {
        *self.stopped_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        self.set.notify_waiters();
    }

    /// Returns while it is running: at once, later, or, when it is dead, never.
    pub(crate) async fn running(&self) {
        loop {
            if self.is_dead() {
                std::future::pending::<()>().await;
            }
            let set = self.set.notified();
            let until = *self.stopped_until.lock().unwrap_or_else(PoisonError::into_inner);
            if until <= Instant::now() {
                return;
            }
            tokio::select! {
                biased;
                () = sleep_until(until) => {}
                () = set => {}
            }
        }
    }
}
