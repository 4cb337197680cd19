//! The rescue: whatever lies in the dead-letter queue is a letter in the ledger too, and lies there
//! only while that letter waits for an operator.
//!
//! Purchases that the broker itself dead-lettered get their missing `PARKED` rows, so that a dead
//! letter is never a tracking ID without an answer; what cannot be decoded is kept as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::gauge;
use shared::domain::{Order, Purchase, envelope};
use shared::pipeline::key::KeyRing;
use shared::pipeline::relay::Relay;
use shared::ports::{Backlog, DeadLetter, LedgerError, LettersWaiting, Ports, QueueStatus, Sieve};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{debug, warn};

/// Dead letters looked at in one pass, the oldest first.
const PASS_MAX: usize = 10_000;
/// Looks for dead letters for ever; drop the future to stop.
pub(crate) async fn rescue(ports: Ports, keys: Arc<KeyRing>, relay: Relay, every: Duration) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    // Looking takes letters out of everybody's sight for as long as it lasts: half of the time at most.
    let mut rested = Instant::now();
    loop {
        tick.tick().await;
        let Some((status, waiting)) = measure(&ports).await else { continue };
        // Not without a reason: letters came, or were dealt with.
        let state = Some((status.dead_letters, waiting.count, waiting.last_closed_at));
        let began = Instant::now();
        if status.dead_letters == 0 || state == seen || began < rested {
            continue;
        }
        let rescuer = Rescuer::new(&ports, &keys, &relay);
        match ports.queue.sift_dead(PASS_MAX, &rescuer).await {
            Ok(removed) => {
                debug!(removed, "dead letters that were dealt with left their queue");
                // A broker may not have heard the last of many acknowledgements on a channel that is
                // closed then: those messages are back, so it goes on until nothing is removed.
                seen = state.filter(|_| removed == 0 && rescuer.is_done());
            }
            Err(error) => debug!(%error, "dead letters are looked at again later"),
        }
        rested = Instant::now() + began.elapsed();
    }
}

async fn measure(ports: &Ports) -> Option<(QueueStatus, LettersWaiting)> {
    let waiting = ports.ledger.backlog().await.ok();
    if let Some(Backlog { letters, dues }) = waiting {
        gauge!("doorbuster_dead_letters_waiting").set(letters.count as f64);
        gauge!("doorbuster_dead_letter_oldest_seconds").set(letters.oldest_ms as f64 / 1_000.0);
        gauge!("doorbuster_outbox_rows").set(dues.count as f64);
        gauge!("doorbuster_outbox_oldest_seconds").set(dues.oldest_ms as f64 / 1_000.0);
    }
    let status = ports.queue.status().await.ok()?;
    gauge!("doorbuster_dead_letters").set(status.dead_letters as f64);
    Some((status, waiting?.letters))
}

/// Keeps what the ledger does not know yet, and lets go what it knows to be dealt with.
struct Rescuer<'a> {
    ports: &'a Ports,
    keys: &'a KeyRing,
    relay: &'a Relay,
    failed: AtomicBool,
}

#[async_trait::async_trait]
impl Sieve for Rescuer<'_> {
    async fn dealt_with(&self, bodies: &[Vec<u8>]) -> Vec<usize> {
        self.judge(bodies).await.unwrap_or_else(|error| {
            debug!(%error, "dead letters are looked at again later");
            self.failed.store(true, Ordering::Relaxed);
            Vec::new()
        })
    }
}

impl<'a> Rescuer<'a> {
    fn new(ports: &'a Ports, keys: &'a KeyRing, relay: &'a Relay) -> Self {
        Self { ports, keys, relay, failed: AtomicBool::new(false) }
    }

    fn is_done(&self) -> bool {
        !self.failed.load(Ordering::Relaxed)
    }

    /// A message may go when no letter of it waits any more.
    async fn judge(&self, bodies: &[Vec<u8>]) -> Result<Vec<usize>, LedgerError> {
        let messages: Vec<_> = bodies.iter().map(|body| self.letters_of(body)).collect();
        let all: Vec<_> =
            messages.iter().flatten().map(|(letter, _)| letter.body.clone()).collect();
        let mut known = self.ports.ledger.letters_open(&all).await?.into_iter();
        let mut dealt_with = Vec::new();
        for (place, letters) in messages.iter().enumerate() {
            let mut waits = false;
            for (letter, purchase) in letters {
                waits |= match known.next().flatten() {
                    Some(open) => open,
                    None => self.keep(letter, purchase.as_ref()).await?,
                };
            }
            if !waits {
                dealt_with.push(place);
            }
        }
        Ok(dealt_with)
    }

    /// The letters that a message stands for: one of each purchase, or one of it all.
    fn letters_of(&self, body: &[u8]) -> Vec<(DeadLetter, Option<Purchase>)> {
        match envelope::decode(body) {
            Ok(envelope) => envelope.purchases.into_iter().map(|p| self.letter_of(p)).collect(),
            Err(error) => {
                let (body, error) = (body.to_vec(), error.to_string());
                vec![(DeadLetter { order_id: None, body, error }, None)]
            }
        }
    }

    fn letter_of(&self, purchase: Purchase) -> (DeadLetter, Option<Purchase>) {
        if self.keys.minter().is_some_and(|minter| minter.key().verify(purchase.id)) {
            (DeadLetter::parked(&purchase, "dead-lettered by the broker"), Some(purchase))
        } else {
            (DeadLetter::forged(&purchase), None)
        }
    }

    /// Keeps a letter that is new; whether it waits.
    async fn keep(
        &self,
        letter: &DeadLetter,
        purchase: Option<&Purchase>,
    ) -> Result<bool, LedgerError> {
        let Some(purchase) = purchase else {
            warn!(error = letter.error, "kept a dead letter that has no order");
            self.ports.ledger.keep_dead_letter(letter).await?;
            return Ok(true);
        };
        if let Some(announcement) = self.ports.ledger.park(letter).await? {
            warn!(order_id = %purchase.id, "parked a purchase that the broker dead-lettered");
            self.relay.offer(announcement);
            return Ok(true);
        }
        let orders = self.ports.ledger.orders(&[purchase.id]).await?;
        if orders.iter().any(|order| settles(order, purchase)) {
            return Ok(false);
        }
        let letter = DeadLetter::orphaned(purchase, "the ID belongs to another purchase");
        self.ports.ledger.keep_dead_letter(&letter).await?;
        Ok(true)
    }
}

/// Whether `order` is what became of `purchase`.
fn settles(order: &Order, purchase: &Purchase) -> bool {
    let same = order.terms.as_ref().is_none_or(|terms| terms.same_request(&purchase.terms));
    order.status.is_decided() && same
}
