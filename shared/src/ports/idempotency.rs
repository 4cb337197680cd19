//! The map from a client's key to the purchase that was stamped for it.

use async_trait::async_trait;

use crate::domain::{IdempotencyKey, Purchase, UserId};

/// The map did not answer. The ledger's unique index stays the backstop.
#[derive(Debug, Clone, thiserror::Error)]
#[error("idempotency map unavailable: {0}")]
pub struct IdempotencyError(pub String);

/// A key and the user whose it is: two users may choose the same text.
pub type UserKey = (UserId, IdempotencyKey);

/// Remembers keyed purchases for 24 hours, so that a retry is exactly the same purchase again.
#[async_trait]
pub trait IdempotencyMap: Send + Sync {
    /// For each keyed purchase: remembers it if its (user, key) is new (`None`), else gives the
    /// purchase already remembered. Purchases without a key are answered `None`.
    async fn remember(
        &self,
        purchases: &[Purchase],
    ) -> Result<Vec<Option<Purchase>>, IdempotencyError>;

    /// The purchase remembered under each key.
    async fn recall(&self, keys: &[UserKey]) -> Result<Vec<Option<Purchase>>, IdempotencyError>;
}
