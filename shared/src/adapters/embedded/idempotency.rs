//! The idempotency map in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::domain::Purchase;
use crate::ports::{IdempotencyError, IdempotencyMap, UserKey};

/// Entries kept; the oldest leave first, and the ledger's unique index stays the backstop.
const ENTRIES_MAX: usize = 100_000;

/// Keyed purchases behind one mutex.
#[derive(Debug, Default)]
pub struct EmbeddedIdempotencyMap {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<UserKey, Purchase>,
    order: VecDeque<UserKey>,
}

impl EmbeddedIdempotencyMap {
    /// Forgets everything, as a flushed Redis does.
    pub fn flush(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remember(&mut self, purchase: &Purchase) -> Option<Purchase> {
        let key = purchase.keyed.as_ref()?.key.clone();
        let owner = (purchase.terms.user_id.clone(), key);
        if let Some(earlier) = self.entries.get(&owner) {
            return Some(earlier.clone());
        }
        self.entries.insert(owner.clone(), purchase.clone());
        self.order.push_back(owner);
        if self.order.len() > ENTRIES_MAX {
            self.order.pop_front().and_then(|oldest| self.entries.remove(&oldest));
        }
        None
    }
}

#[async_trait]
impl IdempotencyMap for EmbeddedIdempotencyMap {
    async fn remember(
        &self,
        purchases: &[Purchase],
    ) -> Result<Vec<Option<Purchase>>, IdempotencyError> {
        let mut inner = self.lock();
        Ok(purchases.iter().map(|purchase| inner.remember(purchase)).collect())
    }

    async fn recall(&self, keys: &[UserKey]) -> Result<Vec<Option<Purchase>>, IdempotencyError> {
        let inner = self.lock();
        Ok(keys.iter().map(|key| inner.entries.get(key).cloned()).collect())
    }
}
