//! Adapters that can be switched off: the broker, the ledger, the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use shared::domain::*;
use shared::ports::*;

/// Switches in front of a family of adapters.
#[derive(Clone, Default)]
pub(crate) struct Switches {
    /// The broker is blocked: `writable` fails.
    pub(crate) broker_away: Arc<AtomicBool>,
    /// The broker takes messages and never confirms.
    pub(crate) broker_silent: Arc<AtomicBool>,
    /// The ledger refuses everything.
    pub(crate) ledger_away: Arc<AtomicBool>,
    /// The gate and the idempotency map answer nothing.
    pub(crate) redis_away: Arc<AtomicBool>,
    /// The ledger reports every purchase as a collision.
    pub(crate) collide: Arc<AtomicBool>,
    /// How often the ledger was asked for orders.
    pub(crate) looks: Arc<AtomicUsize>,
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
            gate: Arc::new(Switched { inner: ports.gate, switches: switches.clone() }),
            ledger: Arc::new(Switched { inner: ports.ledger, switches }),
            ..ports
        }
    }
}

struct Switched<P: ?Sized> {
    inner: Arc<P>,
    switches: Switches,
}

fn is(switch: &AtomicBool) -> bool {
    switch.load(Ordering::SeqCst)
}

#[async_trait]
impl PurchaseQueue for Switched<dyn PurchaseQueue> {
    async fn publish(&self, purchases: &[Purchase]) -> Result<(), QueueError> {
        if is(&self.switches.broker_silent) {
            std::future::pending::<()>().await;
        }
        self.inner.publish(purchases).await
    }
    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        self.inner.publish_dead(letter).await
    }
    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        self.inner.consume().await
    }
    async fn peek_dead(&self, limit: usize) -> Result<Vec<Vec<u8>>, QueueError> {
        self.inner.peek_dead(limit).await
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
    async fn sync(&self, levels: &[StockLevel], mode: SyncMode) -> Result<(), GateError> {
        self.here()?;
        self.inner.sync(levels, mode).await
    }
    async fn levels(&self, products: &[ProductId]) -> Result<Vec<Option<GateLevel>>, GateError> {
        self.here()?;
        self.inner.levels(products).await
    }
}

macro_rules! delegate {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl Ledger for Switched<dyn Ledger> {
            async fn record(
                &self,
                batch: &[Purchase],
                answers: &[Answer],
            ) -> Result<Recorded, LedgerError> {
                if is(&self.switches.collide) {
                    let settled = batch.iter().map(|_| Settled::Collision).collect();
                    return Ok(Recorded { settled, announcement: None });
                }
                self.here()?;
                self.inner.record(batch, answers).await
            }
            async fn orders(&self, ids: &[TrackingId]) -> Result<Vec<Order>, LedgerError> {
                self.switches.looks.fetch_add(1, Ordering::SeqCst);
                self.here()?;
                self.inner.orders(ids).await
            }
            $(
                async fn $name(&self, $($arg: $type),*) -> Result<$answer, LedgerError> {
                    self.here()?;
                    self.inner.$name($($arg),*).await
                }
            )+
        }
    };
}

impl Switched<dyn Ledger> {
    fn here(&self) -> Result<(), LedgerError> {
        if is(&self.switches.ledger_away) {
            Err(LedgerError::Unavailable("switched off".into()))
        } else {
            Ok(())
        }
    }
}

delegate! {
    begin_attempt(id: TrackingId) -> u32;
    park(letter: &DeadLetter) -> Option<Announcement>;
    keep_dead_letter(letter: &DeadLetter) -> ();
    orders_by_key(keys: &[UserKey]) -> Vec<Order>;
    catalogue() -> Catalogue;
    pulse() -> Pulse;
    stock(products: &[ProductId]) -> Vec<StockLevel>;
    tracking_key() -> TrackingKey;
    lease_dues(limit: usize) -> Vec<Announcement>;
    clear_dues(dues: &[DueId]) -> ();
    create_product(new: &NewProduct) -> (Product, StockLevel);
    change_product(product: &ProductRef, change: &ProductChange) -> (Product, StockLevel);
    restock(product: &ProductRef, delta: i64, who: &str) -> StockLevel;
    audit() -> LedgerAudit;
}
