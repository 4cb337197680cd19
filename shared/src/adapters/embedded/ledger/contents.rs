//! A copy of everything, for whoever checks it.

use super::state::State;
use crate::domain::changes::BuyerKey;
use crate::domain::{Order, Product, Sale, StockLevel, Timestamp};
use crate::ports::DeadLetter;

/// Everything that the ledger holds, each list in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Products, by number.
    pub products: Vec<Product>,
    /// Their inventory, each with the sum of all stock movements.
    pub stock: Vec<(StockLevel, i64)>,
    /// Sales, by number.
    pub sales: Vec<Sale>,
    /// Orders, by ID.
    pub orders: Vec<Order>,
    /// Units that limits count, by buyer.
    pub bought: Vec<(BuyerKey, u32)>,
    /// Dead letters, as they came.
    pub letters: Vec<DeadLetter>,
    /// Outbox rows not yet paid.
    pub dues: usize,
}

impl State {
    pub(super) fn contents(&self, now: Timestamp) -> Contents {
        let stock = self
            .products
            .keys()
            .filter_map(|id| Some((self.level(*id, now)?, self.stock.get(id)?.moved)));
        let mut orders: Vec<_> = self.orders.values().cloned().collect();
        orders.sort_by_key(|order| order.id);
        let mut bought: Vec<_> = self.bought.iter().map(|(buyer, n)| (buyer.clone(), *n)).collect();
        bought.sort();
        Contents {
            products: self.products.values().cloned().collect(),
            stock: stock.collect(),
            sales: self.sales.values().cloned().collect(),
            orders,
            bought,
            letters: self.letters.iter().map(|kept| kept.letter.clone()).collect(),
            dues: self.dues.len(),
        }
    }
}
