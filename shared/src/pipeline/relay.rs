//! The relay pays what outbox rows owe: gate sync, fanouts, events, dead-letter copies; then it
//! deletes the rows. In memory for speed; a sweep pays what a crash left.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use metrics::{counter, histogram};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::events::Events;
use crate::domain::{ProductId, StockLevel};
use crate::failpoints;
use crate::planted::planted;
use crate::ports::{
    Announcement, BusError, BusMessage, EventBus, Ledger, LedgerError, PurchaseQueue, QueueError,
    StockGate, StockUpdate, SyncMode,
};

/// Announcements waiting in memory; more are left to the sweep, which finds them in the outbox.
const LINE_MAX: usize = 4_096;
/// Announcements paid in one round.
const ROUND_MAX: usize = 64;
/// Orders in one outcomes message: about 300 kB.
const ORDERS_MAX: usize = 1_000;
/// Events published under one time limit.
const EVENTS_MAX: usize = 256;

/// Everything that announcing needs.
#[derive(Clone)]
pub struct Payer {
    /// Brought in line with what was committed.
    pub gate: Arc<dyn StockGate>,
    /// The fanouts.
    pub bus: Arc<dyn EventBus>,
    /// Takes copies of dead letters.
    pub queue: Arc<dyn PurchaseQueue>,
    /// Holds the outbox.
    pub ledger: Arc<dyn Ledger>,
    /// Makes the events for other systems, where they are told any.
    pub events: Option<Events>,
}

/// The handle that settlers give their announcements to.
#[derive(Clone)]
pub struct Relay {
    line: mpsc::Sender<Announcement>,
}

impl Relay {
    /// Starts the relay. It ends, with everything in line paid or given up to the sweep, when the
    /// last handle is dropped.
    ///
    /// The boards are told on one task and everybody else on another: clients wait for the boards,
    /// and whoever listens to events must not be able to make them wait.
    pub fn start(payer: Payer) -> (Self, JoinHandle<()>) {
        begin_counting();
        let (line, waiting) = mpsc::channel(LINE_MAX);
        let (shown, owed) = mpsc::channel(LINE_MAX);
        let concluding = tokio::spawn(payer.clone().conclude_all(owed));
        let task = tokio::spawn(async move {
            payer.show_all(waiting, shown).await;
            // A panic there was told where it happened.
            let _ = concluding.await;
        });
        (Self { line }, task)
    }

    /// Hands an announcement over without waiting.
    pub fn offer(&self, announcement: Announcement) {
        hand_over(&self.line, announcement);
    }
}

/// From zero: a counter that appears with its first event has not risen.
fn begin_counting() {
    for call in ["bus", "events", "dead_letter"] {
        counter!("doorbuster_relay_failures_total", "call" => call).increment(0);
    }
    counter!("doorbuster_relay_left_to_sweep_total").increment(0);
}

fn hand_over(line: &mpsc::Sender<Announcement>, announcement: Announcement) {
    if line.try_send(announcement).is_err() {
        counter!("doorbuster_relay_left_to_sweep_total").increment(1);
    }
}

impl Payer {
    async fn show_all(
        self,
        mut waiting: mpsc::Receiver<Announcement>,
        shown: mpsc::Sender<Announcement>,
    ) {
        let mut round = Vec::with_capacity(ROUND_MAX);
        while waiting.recv_many(&mut round, ROUND_MAX).await > 0 {
            let done = self.show(&round).await;
            round.drain(..).filter(|_| done).for_each(|owed| hand_over(&shown, owed));
            if !done && waiting.is_closed() {
                return; // Closing time, and nobody takes it: the rest is left to the sweep.
            }
        }
    }

    async fn conclude_all(self, mut owed: mpsc::Receiver<Announcement>) {
        let mut round = Vec::with_capacity(ROUND_MAX);
        while owed.recv_many(&mut round, ROUND_MAX).await > 0 {
            let done = self.conclude(&round).await;
            round.clear();
            if !done && owed.is_closed() {
                return;
            }
        }
    }

    /// Looks for announcements that nobody paid and pays them, all of them while that goes well;
    /// answers how many it found.
    pub async fn sweep(&self) -> Result<usize, LedgerError> {
        let mut count = 0;
        loop {
            let mut found = self.ledger.lease_dues(ROUND_MAX).await?;
            if planted("forget-the-outbox") {
                let dues: Vec<_> = found.drain(..).filter_map(|owed| owed.due).collect();
                self.ledger.clear_dues(&dues).await?;
            }
            let more = found.len() == ROUND_MAX;
            count += found.len();
            counter!("doorbuster_relay_swept_total").increment(found.len() as u64);
            let paid = found.is_empty() || self.pay(found).await;
            if !(paid && more) {
                return Ok(count);
            }
        }
    }

    /// Pays a round; true if all of it was. Whatever fails is left in the outbox for the sweep.
    pub async fn pay(&self, round: Vec<Announcement>) -> bool {
        self.show(&round).await && self.conclude(&round).await
    }

    /// Tells the gate and the boards; true if the boards were.
    async fn show(&self, round: &[Announcement]) -> bool {
        failpoints::reach("relay.show").await;
        let started = Instant::now();
        let levels = newest(round.iter().flat_map(|announcement| &announcement.levels));
        self.sync_gate(&levels).await;
        if let Err(error) = self.bus.publish(&messages(round, levels)).await {
            counter!("doorbuster_relay_failures_total", "call" => "bus").increment(1);
            warn!(%error, "announcements are left to the sweep");
            return false;
        }
        histogram!("doorbuster_relay_seconds").record(started.elapsed().as_secs_f64());
        true
    }

    /// Tells everybody else, then deletes the rows of what is paid; true if all was.
    async fn conclude(&self, round: &[Announcement]) -> bool {
        failpoints::reach("relay.shown").await;
        if let Err(error) = self.publish_events(round).await {
            counter!("doorbuster_relay_failures_total", "call" => "events").increment(1);
            warn!(%error, "events are left to the sweep");
            return false;
        }
        let (letters, others): (Vec<_>, Vec<_>) =
            round.iter().partition(|announcement| !announcement.dead_letters.is_empty());
        let mut paid = others;
        let mut all = true;
        for announcement in letters {
            match self.publish_dead(announcement).await {
                Ok(()) => paid.push(announcement),
                Err(error) => {
                    let failures = "doorbuster_relay_failures_total";
                    counter!(failures, "call" => "dead_letter").increment(1);
                    warn!(%error, "dead-letter copies are left to the sweep");
                    all = false;
                    break;
                }
            }
        }
        failpoints::reach("relay.told").await;
        let dues: Vec<_> = paid.iter().filter_map(|announcement| announcement.due).collect();
        if let Err(error) = self.ledger.clear_dues(&dues).await {
            debug!(%error, "announced, but still in the outbox: it will be announced again");
        }
        all
    }

    async fn publish_events(&self, round: &[Announcement]) -> Result<(), BusError> {
        let Some(events) = &self.events else { return Ok(()) };
        let owed = round.iter().flat_map(|announcement| events.of(announcement));
        let mut owed = owed.map(BusMessage::Event);
        loop {
            let part: Vec<_> = owed.by_ref().take(EVENTS_MAX).collect();
            if part.is_empty() {
                return Ok(());
            }
            self.bus.publish(&part).await?;
            counter!("doorbuster_events_total").increment(part.len() as u64);
        }
    }

    async fn publish_dead(&self, announcement: &Announcement) -> Result<(), QueueError> {
        for letter in &announcement.dead_letters {
            self.queue.publish_dead(letter).await?;
        }
        Ok(())
    }

    /// A gate that is away is healed by the next heartbeat.
    async fn sync_gate(&self, levels: &[StockLevel]) {
        if levels.is_empty() {
            return;
        }
        if let Err(error) = self.gate.sync(levels, SyncMode::Newer).await {
            counter!("doorbuster_gate_errors_total", "call" => "sync").increment(1);
            debug!(%error, "the gate is left to the heartbeat");
        }
    }
}

/// The newest level of each product.
fn newest<'a>(levels: impl Iterator<Item = &'a StockLevel>) -> Vec<StockLevel> {
    let mut newest: BTreeMap<ProductId, StockLevel> = BTreeMap::new();
    for level in levels {
        match newest.entry(level.product_id) {
            Entry::Occupied(mut known) if known.get().version < level.version => {
                known.insert(*level);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(*level);
            }
        }
    }
    newest.into_values().collect()
}

fn messages(round: &[Announcement], levels: Vec<StockLevel>) -> Vec<BusMessage> {
    let mut messages = Vec::with_capacity(2);
    if !levels.is_empty() {
        let update = StockUpdate { stock: levels, heartbeat: None };
        messages.push(BusMessage::Stock(Arc::new(update)));
    }
    let orders: Vec<_> = round.iter().flat_map(|announcement| &announcement.orders).collect();
    messages.extend(orders.chunks(ORDERS_MAX).map(|part| {
        BusMessage::Outcomes(part.iter().map(|change| Arc::clone(&change.order)).collect())
    }));
    messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Counts;

    #[test]
    fn only_the_newest_level_of_a_product_is_announced() {
        let level = |product, version| StockLevel {
            product_id: ProductId(product),
            counts: Counts { total: 10, reserved: 0, sold: version },
            version,
            sale: None,
        };
        let levels = [level(1, 4), level(2, 1), level(1, 6), level(1, 5)];
        assert_eq!(newest(levels.iter()), [level(1, 6), level(2, 1)]);
    }
}
