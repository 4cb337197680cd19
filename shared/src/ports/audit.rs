//! The ledger's own account of itself: what is counted beside what history adds up to.

use crate::domain::{Counts, ProductId, SaleId, StockLevel, TrackingId};

/// Contradictions of one kind that are named; the others are only counted.
pub const NAMED_MAX: usize = 100;

/// A product's inventory beside what its orders and stock movements add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductAudit {
    /// The inventory row.
    pub level: StockLevel,
    /// Whether it is sold.
    pub active: bool,
    /// Total by stock movements, reserved and sold by orders.
    pub recomputed: Counts,
    /// Orders that hold or bought units.
    pub orders_taken: i64,
    /// Refused orders.
    pub orders_rejected: i64,
}

/// Contradictions of one kind: all are counted, the first [`NAMED_MAX`] named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T> {
    /// How many there are.
    pub count: i64,
    /// The first of them.
    pub first: Vec<T>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

/// A buyer under a limit whose count is not that of the orders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuyerMiscount {
    /// Of which product.
    pub product_id: ProductId,
    /// In which sale; none outside sales.
    pub sale_id: Option<SaleId>,
    /// Whose, as it is stored: a row that somebody made by hand may name anybody.
    pub user_id: String,
    /// Units that the limit counts.
    pub counted: i64,
    /// Units that the orders say.
    pub ordered: i64,
}

/// A sale with a quantity whose count is not that of the orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SaleMiscount {
    /// Which.
    pub sale_id: SaleId,
    /// Of which product.
    pub product_id: ProductId,
    /// Units that the quantity counts.
    pub counted: i64,
    /// Units that the orders say.
    pub ordered: i64,
}

/// The ledger's own account of itself, read in one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerAudit {
    /// Every product.
    pub products: Vec<ProductAudit>,
    /// Buyers whose units are miscounted, by product, sale and user.
    pub buyers: Named<BuyerMiscount>,
    /// Sales whose units are miscounted, by number.
    pub sales: Named<SaleMiscount>,
    /// Orders waiting for an operator.
    pub parked: i64,
    /// Those of them whose letter is not there for an operator to find, by ID.
    pub unkept: Named<TrackingId>,
    /// Dead letters that wait for an operator.
    pub dead_letters: i64,
    /// Outbox rows not yet paid.
    pub dues: i64,
    /// How long the oldest of them has waited, in milliseconds; 0 where there is none.
    pub oldest_due_ms: i64,
}
