//! A micro-batch: the delivery that was waited for, and whatever else has already arrived.

use std::sync::Arc;

use shared::domain::{Purchase, envelope};
use shared::pipeline::key::KeyRing;
use shared::ports::{DeadLetter, Deliveries, Delivery, Receipt};

/// An envelope delivered this often may be killing workers: its purchases are settled alone.
const SUSPECT_DELIVERIES: u32 = 3;

/// What was gathered, sorted by what is to be done with it.
#[derive(Default)]
pub(crate) struct Batch {
    /// To be settled, in order of arrival.
    pub(crate) purchases: Vec<Purchase>,
    /// To be settled one by one.
    pub(crate) suspects: Vec<Purchase>,
    /// The last of the deliveries they came in: acknowledged, with those before it, once all of the
    /// above are settled.
    pub(crate) last: Option<Box<dyn Receipt>>,
    /// Undecodable: to the dead-letter queue as they are.
    pub(crate) garbage: Vec<Box<dyn Receipt>>,
    /// Decodable, but not issued by us.
    pub(crate) forged: Vec<DeadLetter>,
}

/// Sorts `first` and what else is ready, up to about `batch_max` purchases.
pub(crate) fn gather(
    first: Delivery,
    deliveries: &mut dyn Deliveries,
    keys: &Arc<KeyRing>,
    batch_max: usize,
) -> Batch {
    let mut batch = Batch::default();
    let mut next = Some(first);
    while let Some(delivery) = next {
        batch.add(delivery, keys);
        let full = batch.purchases.len() + batch.suspects.len() >= batch_max;
        next = if full { None } else { deliveries.ready() };
    }
    batch
}

impl Batch {
    fn add(&mut self, delivery: Delivery, keys: &Arc<KeyRing>) {
        let Ok(envelope) = envelope::decode(&delivery.body) else {
            self.garbage.push(delivery.receipt);
            return;
        };
        let suspect = delivery.redeliveries + 1 >= SUSPECT_DELIVERIES;
        for purchase in envelope.purchases {
            if !keys.minter().is_some_and(|minter| minter.key().verify(purchase.id)) {
                self.forged.push(DeadLetter::forged(&purchase));
            } else if suspect {
                self.suspects.push(purchase);
            } else {
                self.purchases.push(purchase);
            }
        }
        self.last = Some(delivery.receipt);
    }
}
