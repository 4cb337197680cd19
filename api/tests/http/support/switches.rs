//! Adapters that can be switched off: the broker, the ledger, the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use shared::domain::*;
use shared::ports::*;
use shared::testing::ledger::{Guard, GuardedLedger};

/// Switches in front of a family of adapters.
#[derive(Clone, Default)]
pub(crate) struct Switches {
    /// The broker is blocked: `writable` fails.
    pub(crate) broker_away: Arc<AtomicBool>,
    /// The broker takes messages and does not confirm them before this is turned off.
    pub(crate) broker_silent: Arc<AtomicBool>,
    /// How many messages it was given.
    pub(crate) published: Arc<AtomicUsize>,
    /// The ledger refuses everything.
    pub(crate) ledger_away: Arc<AtomicBool>,
    /// The gate and the limits answer nothing.
    pub(crate) redis_away: Arc<AtomicBool>,
    /// The ledger reports every purchase as a collision.
    pub(crate) collide: Arc<AtomicBool>,
    /// How often the ledger was asked for orders.
    pub(crate) looks: Arc<AtomicUsize>,
    /// How often it was asked to move an order along while it was away.
    pub(crate) advances_refused: Arc<AtomicUsize>,
}

pub(crate) fn turn(switch: &AtomicBool) {
    switch.store(true, Ordering::SeqCst);
}

impl Switches {
    /// `ports` behind these switches.
    pub(crate) fn before(&self, ports: Ports) -> Ports {
        let switches = self.clone();
        Ports {
            queue: Arc::new(Switched { inner: ports.queue, switches: switches.clone() }),
            rates: Arc::new(Switched { inner: ports.rates, switches: switches.clone() }),
            rooms: Arc::new(Switched { inner: ports.rooms, switches: switches.clone() }),
            gate: Arc::new(Switched { inner: ports.gate, switches: switches.clone() }),
            ledger: Arc::new(GuardedLedger { inner: ports.ledger, guard: switches }),
            ..ports
        }
    }
}

pub(super) struct Switched<P: ?Sized> {
    pub(super) inner: Arc<P>,
    pub(super) switches: Switches,
}

pub(super) fn is(switch: &AtomicBool) -> bool {
    switch.load(Ordering::SeqCst)
}

#[async_trait]
impl PurchaseQueue for Switched<dyn PurchaseQueue> {
    async fn publish(&self, purchases: &[Purchase]) -> Result<(), QueueError> {
        self.switches.published.fetch_add(1, Ordering::SeqCst);
        while is(&self.switches.broker_silent) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.inner.publish(purchases).await
    }
    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        self.inner.publish_dead(letter).await
    }
    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        self.inner.consume().await
    }
    async fn sift_dead(&self, limit: usize, sieve: &dyn Sieve) -> Result<usize, QueueError> {
        self.inner.sift_dead(limit, sieve).await
    }
    async fn status(&self) -> Result<QueueStatus, QueueError> {
        self.writable()?;
        self.inner.status().await
    }
    fn writable(&self) -> Result<(), QueueError> {
        if is(&self.switches.broker_away) {
            Err(QueueError::Unavailable("switched off".into()))
        } else {
            self.inner.writable()
        }
    }
}

#[async_trait]
impl RateLimits for Switched<dyn RateLimits> {
    async fn take(&self, asks: &[RateAsk]) -> Result<Vec<Rated>, RatesError> {
        if is(&self.switches.redis_away) {
            return Err(RatesError("switched off".into()));
        }
        self.inner.take(asks).await
    }
    async fn give_back(&self, asks: &[RateAsk]) -> Result<(), RatesError> {
        self.inner.give_back(asks).await
    }
}

impl Switched<dyn StockGate> {
    fn here(&self) -> Result<(), GateError> {
        if is(&self.switches.redis_away) { Err(GateError("switched off".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl StockGate for Switched<dyn StockGate> {
    async fn claim(&self, claims: &[ProductClaim]) -> Result<Vec<Vec<Answer>>, GateError> {
        self.here()?;
        self.inner.claim(claims).await
    }
    async fn sync(
        &self,
        levels: &[StockLevel],
        mode: SyncMode,
    ) -> Result<Vec<Option<GateLevel>>, GateError> {
        self.here()?;
        self.inner.sync(levels, mode).await
    }
    async fn levels(&self, products: &[ProductId]) -> Result<Vec<Option<GateLevel>>, GateError> {
        self.here()?;
        self.inner.levels(products).await
    }
}

impl Guard for Switches {
    fn before(&self, name: &'static str) -> Result<(), LedgerError> {
        if name == "orders" {
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
        if is(&self.ledger_away) {
            let advance = usize::from(name == "advance");
            self.advances_refused.fetch_add(advance, Ordering::SeqCst);
            Err(LedgerError::Unavailable("switched off".into()))
        } else {
            Ok(())
        }
    }

    fn before_record(&self, batch: &[Purchase]) -> Option<Result<Recorded, LedgerError>> {
        if is(&self.collide) {
            let settled = batch.iter().map(|_| Settled::Collision).collect();
            return Some(Ok(Recorded { settled, announcement: None }));
        }
        Guard::before(self, "record").err().map(Err)
    }
}
