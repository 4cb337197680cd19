//! What a transaction adds to the counts of the ledger.

use std::collections::BTreeMap;

use super::ids::{ProductId, SaleId, UserId};
use super::order::Order;
use super::transition::Effect;
use crate::planted::planted;

/// Whose units a limit counts: those of one user in one sale, or outside sales.
pub type BuyerKey = (ProductId, Option<SaleId>, UserId);

/// Units to add to `reserved` and `sold` of a product; negative ones go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Units held.
    pub reserved: i64,
    /// Units sold.
    pub sold: i64,
}

/// Units to add, in the order in which their rows are locked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Of the inventory, by product.
    pub taken: BTreeMap<ProductId, Taken>,
    /// Of sales that have a quantity.
    pub sales: BTreeMap<SaleId, i64>,
    /// Of buyers under a limit.
    pub bought: BTreeMap<BuyerKey, i64>,
}

impl Changes {
    /// Adds what a transition of `order` does. `capped` says that the order's sale has a quantity,
    /// `limited` that a limit counts its buyer.
    pub(super) fn add(&mut self, order: &Order, effect: Effect, capped: bool, limited: bool) {
        let Some(terms) = &order.terms else { return };
        let units = i64::from(terms.quantity.units());
        let (reserved, sold) = (i64::from(effect.reserved) * units, i64::from(effect.sold) * units);
        if (reserved, sold) == (0, 0) {
            return;
        }
        let taken = self.taken.entry(terms.product_id).or_default();
        taken.reserved += reserved;
        taken.sold += sold;
        if reserved + sold == 0 {
            return; // From held to sold: still the same buyer's.
        }
        if let Some(sale) = terms.sale_id.filter(|_| capped && !planted("sales-not-counted")) {
            *self.sales.entry(sale).or_default() += reserved + sold;
        }
        if limited && !planted("limits-not-counted") {
            let buyer = (terms.product_id, terms.sale_id, terms.user_id.clone());
            *self.bought.entry(buyer).or_default() += reserved + sold;
        }
    }
}
