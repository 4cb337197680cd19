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

impl StockLevel {
    /// Both are of one version and cannot both be true. Which sale is live follows the clock, so only
    /// what is left of the same sale is compared.
    pub fn contradicts(&self, other: &Self) -> bool {
        let same_sale = self.sale.zip(other.sale).filter(|(a, b)| a.sale_id == b.sale_id);
        self.version == other.version
            && (self.counts != other.counts
                || same_sale.is_some_and(|(a, b)| a.sale_left != b.sale_left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_one_version_contradict_each_other_by_counts_and_not_by_the_clock() {
        let counts = Counts { total: 10, reserved: 1, sold: 2 };
        let level = StockLevel { product_id: ProductId(1), counts, version: 3, sale: None };
        let of_sale = |id, sale_left| {
            let sale = Some(SaleLeft { sale_id: SaleId(id), sale_left });
            StockLevel { sale, ..level }
        };
        let sold = StockLevel { counts: Counts { sold: 3, ..counts }, ..level };
        assert!(level.contradicts(&sold));
        assert!(!level.contradicts(&StockLevel { version: 4, ..sold }));
        assert!(!level.contradicts(&of_sale(1, 5)) && !of_sale(1, 5).contradicts(&of_sale(2, 4)));
        assert!(of_sale(1, 5).contradicts(&of_sale(1, 4)));
    }
}
