//! Counts of units.

use serde::{Deserialize, Serialize};

use super::ids::{ProductId, SaleId};

/// Where the units of a product are. `total = available + reserved + sold`, all ≥ 0, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All units there are.
    pub total: i64,
    /// Units held for buyers who have not paid yet.
    pub reserved: i64,
    /// Units sold.
    pub sold: i64,
}

impl Counts {
    /// Units that can still be bought.
    pub const fn available(self) -> i64 {
        self.total - self.reserved - self.sold
    }

    /// True while no count is negative.
    pub const fn is_conserved(self) -> bool {
        self.total >= 0 && self.reserved >= 0 && self.sold >= 0 && self.available() >= 0
    }
}

/// Units left of a live sale that has a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleLeft {
    /// The sale.
    pub sale_id: SaleId,
    /// Units of its quantity not yet taken.
    pub sale_left: i64,
}

/// The stock of a product at one version of its inventory row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockLevel {
    /// The product.
    pub product_id: ProductId,
    /// Its counts.
    pub counts: Counts,
    /// Rises by one at every change of the inventory row; a reader drops what is not newer.
    pub version: i64,
    /// The live sale's remainder, where it has a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleLeft>,
}
