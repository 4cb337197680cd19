//! The gate: an atomic decrement in front of the ledger, allowed to be wrong.

use async_trait::async_trait;

use crate::domain::{ProductId, StockLevel};

/// The gate did not answer. Never a reason to stop: the ledger decides without it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("gate unavailable: {0}")]
pub struct GateError(pub String);

/// What the gate believes of one purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// There were units; they are taken off the gate's count.
    Yes,
    /// There were too few.
    No,
    /// The gate is away or does not know the product.
    Unknown,
}

/// The quantities that a batch wants of one product, in order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductClaim {
    /// The product.
    pub product_id: ProductId,
    /// Units wanted, one entry per purchase.
    pub quantities: Vec<u32>,
}

/// Which versions a sync takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// Only newer ones: after a commit, when claims of later batches are already counted.
    Newer,
    /// Equal ones too: the heartbeat's, so that any drift is gone within a second.
    NewerOrEqual,
}

/// What the gate holds of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateLevel {
    /// Units it would still give out.
    pub free: i64,
    /// The inventory version it was last brought in line with.
    pub version: i64,
}

/// Redis in front of the ledger's locks.
#[async_trait]
pub trait StockGate: Send + Sync {
    /// Takes units in order: `if free ≥ q then free −= q`. Answers line up with `claims`.
    async fn claim(&self, claims: &[ProductClaim]) -> Result<Vec<Vec<Answer>>, GateError>;

    /// Brings the gate in line with the ledger. Only this creates a product at the gate. Answers what
    /// it held until then, in the order of `levels`: whoever syncs learns what was wrong.
    async fn sync(
        &self,
        levels: &[StockLevel],
        mode: SyncMode,
    ) -> Result<Vec<Option<GateLevel>>, GateError>;

    /// What the gate holds, in the order of `products`; `None` where it knows nothing.
    async fn levels(&self, products: &[ProductId]) -> Result<Vec<Option<GateLevel>>, GateError>;
}
