//! Recall: what was an idempotency key used for before? From the map, else the ledger, in batches:
//! once something is sold out, every keyed purchase asks this before it is refused.

use std::collections::HashMap;
use std::sync::Arc;

use tracing::debug;

use super::group_commit::{Bounds, GroupCommit, LineError};
use crate::domain::{Order, Purchase};
use crate::ports::{IdempotencyMap, Ledger, LedgerError, UserKey};

/// An earlier use of a key.
pub(super) enum Earlier {
    /// Stamped, perhaps not yet settled.
    Stamped(Box<Purchase>),
    /// Settled.
    Stored(Arc<Order>),
}

/// Looks keys up.
#[derive(Clone)]
pub(super) struct Recall(GroupCommit<UserKey, Found>);

/// What is known of a key; an error where the map has nothing and the ledger is away.
type Found = Result<Option<Earlier>, LedgerError>;

impl Recall {
    /// Reads in batches within `bounds`.
    pub(super) fn start(
        map: Arc<dyn IdempotencyMap>,
        ledger: Arc<dyn Ledger>,
        bounds: Bounds,
    ) -> Self {
        let look = move |keys| look(Arc::clone(&map), Arc::clone(&ledger), keys);
        Self(GroupCommit::start(bounds, look))
    }

    /// The earlier use of `key`, if there was one.
    pub(super) async fn earlier(&self, key: UserKey) -> Result<Found, LineError> {
        self.0.submit(key).await
    }
}

async fn look(
    map: Arc<dyn IdempotencyMap>,
    ledger: Arc<dyn Ledger>,
    keys: Vec<UserKey>,
) -> Vec<Found> {
    let stamped = map.recall(&keys).await.unwrap_or_else(|error| {
        debug!(%error, "keys are looked up in the ledger alone");
        vec![None; keys.len()]
    });
    let mut found: Vec<Found> = stamped
        .into_iter()
        .map(|purchase| Ok(purchase.map(|purchase| Earlier::Stamped(Box::new(purchase)))))
        .collect();
    let (places, missing): (Vec<usize>, Vec<UserKey>) = keys
        .into_iter()
        .enumerate()
        .filter(|(place, _)| matches!(found.get(*place), Some(Ok(None))))
        .unzip();
    if missing.is_empty() {
        return found;
    }
    match ledger.orders_by_key(&missing).await {
        Ok(orders) => {
            let stored: HashMap<UserKey, Arc<Order>> = orders
                .into_iter()
                .filter_map(|order| Some((owner(&order)?, order.into())))
                .collect();
            for (place, key) in places.into_iter().zip(missing) {
                found[place] = Ok(stored.get(&key).cloned().map(Earlier::Stored));
            }
        }
        Err(error) => places.into_iter().for_each(|place| found[place] = Err(error.clone())),
    }
    found
}

fn owner(order: &Order) -> Option<UserKey> {
    Some((order.terms.as_ref()?.user_id.clone(), order.keyed.as_ref()?.key.clone()))
}
