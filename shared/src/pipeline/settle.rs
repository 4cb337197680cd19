//! Settle: conclude a batch of purchases. The same for both ways in.
//!
//! 1. claim at the gate: is a lock worth taking?
//! 2. record in the ledger: one transaction around [`crate::domain::decide()`]
//! 3. the caller answers or acknowledges: COMMIT is known
//! 4. the relay announces, on its own time

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use metrics::{counter, histogram};
use tokio::time::Instant;
use tracing::debug;

use super::relay::Relay;
use crate::domain::{Order, ProductId, Purchase, Reason, Settled, Status};
use crate::failpoints;
use crate::ports::{Answer, Ledger, LedgerError, ProductClaim, Recorded, StockGate};

/// Concludes batches.
#[derive(Clone)]
pub struct Settler {
    gate: Arc<dyn StockGate>,
    ledger: Arc<dyn Ledger>,
    relay: Relay,
}

impl Settler {
    /// A settler that hands what it owes to `relay`.
    pub fn new(gate: Arc<dyn StockGate>, ledger: Arc<dyn Ledger>, relay: Relay) -> Self {
        // From zero: a counter that appears with its first event has not risen.
        for kind in ["outage", "poison"] {
            counter!("doorbuster_ledger_errors_total", "kind" => kind).increment(0);
        }
        Self { gate, ledger, relay }
    }

    /// Settles `batch`. When this returns `Ok`, every outcome is durable.
    pub async fn settle(&self, batch: &[Purchase]) -> Result<Recorded, LedgerError> {
        let started = Instant::now();
        failpoints::reach("settle.begun").await;
        let answers = self.claim(batch).await;
        failpoints::reach("settle.claimed").await;
        let recorded = self.ledger.record(batch, &answers).await.inspect_err(|error| {
            let kind = if matches!(error, LedgerError::Poison(_)) { "poison" } else { "outage" };
            counter!("doorbuster_ledger_errors_total", "kind" => kind).increment(1);
        })?;
        failpoints::reach("settle.recorded").await;
        histogram!("doorbuster_settle_seconds").record(started.elapsed().as_secs_f64());
        histogram!("doorbuster_settle_batch_size").record(batch.len() as f64);
        if let Some(announcement) = recorded.announcement.clone() {
            count(announcement.orders.iter().map(|change| &*change.order));
            self.relay.offer(announcement);
        }
        Ok(recorded)
    }

    /// The gate's answers, one per purchase; all unknown where it is away.
    async fn claim(&self, batch: &[Purchase]) -> Vec<Answer> {
        let (claims, places) = by_product(batch);
        let mut answers = vec![Answer::Unknown; batch.len()];
        match self.gate.claim(&claims).await {
            Ok(given) => {
                for (places, given) in places.iter().zip(given) {
                    for (&place, answer) in places.iter().zip(given) {
                        answers[place] = answer;
                    }
                }
            }
            Err(error) => {
                counter!("doorbuster_gate_errors_total", "call" => "claim").increment(1);
                debug!(%error, "settling without the gate");
            }
        }
        answers
    }
}

/// One claim per product, and for each the places in the batch that its quantities came from.
fn by_product(batch: &[Purchase]) -> (Vec<ProductClaim>, Vec<Vec<usize>>) {
    let mut index: HashMap<ProductId, usize> = HashMap::new();
    let (mut claims, mut places): (Vec<ProductClaim>, Vec<Vec<usize>>) = (vec![], vec![]);
    for (place, purchase) in batch.iter().enumerate() {
        let product_id = purchase.terms.product_id;
        let at = *index.entry(product_id).or_insert_with(|| {
            claims.push(ProductClaim { product_id, quantities: vec![] });
            places.push(vec![]);
            claims.len() - 1
        });
        claims[at].quantities.push(purchase.terms.quantity.units());
        places[at].push(place);
    }
    (claims, places)
}

/// Counts outcomes, a step of the counter for each kind of a batch: there are few kinds and many orders.
fn count<'a>(orders: impl Iterator<Item = &'a Order>) {
    let mut counts: BTreeMap<(Status, Option<Reason>), u64> = BTreeMap::new();
    for order in orders {
        *counts.entry((order.status, order.reason)).or_default() += 1;
    }
    for ((status, reason), count) in counts {
        let (status, reason) = (status.as_str(), reason.map_or("", Reason::as_str));
        let kind = counter!("doorbuster_outcomes_total", "status" => status, "reason" => reason);
        kind.increment(count);
    }
}

/// The order of a settled purchase, or `None` for a collision.
pub fn order_of(settled: &Settled) -> Option<&Order> {
    match settled {
        Settled::Order(order) => Some(order),
        Settled::Collision => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{id, purchase_of};

    #[test]
    fn a_batch_is_one_claim_per_product_in_order_of_arrival() {
        let batch = [
            purchase_of(id(1), 7, "a", 1),
            purchase_of(id(2), 8, "b", 2),
            purchase_of(id(3), 7, "c", 3),
        ];
        let (claims, places) = by_product(&batch);
        let claim = |product, quantities: &[u32]| ProductClaim {
            product_id: ProductId(product),
            quantities: quantities.to_vec(),
        };
        assert_eq!(claims, [claim(7, &[1, 3]), claim(8, &[2])]);
        assert_eq!(places, [vec![0, 2], vec![1]]);
    }
}
