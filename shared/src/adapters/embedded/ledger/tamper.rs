//! What a hand can do to the tables, for tests of the audit.

use super::EmbeddedLedger;
use crate::domain::changes::BuyerKey;
use crate::domain::{Counts, Order, ProductId, SaleId, TrackingId};

/// One change that no transaction would make.
#[derive(Debug, Clone)]
pub enum Tamper {
    /// Other counts, at the same version and without an order.
    Counts(ProductId, Counts),
    /// Another count of a buyer's units.
    Bought(BuyerKey, u32),
    /// Another count of a sale's units.
    Taken(SaleId, i64),
    /// A parked order of which no letter is kept.
    ParkWithoutLetter(TrackingId),
}

impl EmbeddedLedger {
    /// Makes the change.
    pub fn tamper(&self, tamper: Tamper) {
        let mut state = self.state();
        match tamper {
            Tamper::Counts(product, counts) => {
                state.stock.entry(product).or_default().counts = counts;
            }
            Tamper::Bought(buyer, units) => {
                state.bought.insert(buyer, units);
            }
            Tamper::Taken(sale, units) => {
                if let Some(sale) = state.sales.get_mut(&sale) {
                    sale.taken = units;
                }
            }
            Tamper::ParkWithoutLetter(id) => {
                state.orders.insert(id, Order::parked(id));
            }
        }
    }
}
