//! The ledger's account of itself: what is counted beside what history adds up to.

use std::collections::{BTreeMap, BTreeSet};

use super::state::State;
use crate::domain::changes::BuyerKey;
use crate::domain::{Counts, Order, ProductId, Sale, SaleId, Status, Terms, Timestamp, TrackingId};
use crate::ports::{BuyerMiscount, LedgerAudit, NAMED_MAX, Named, ProductAudit, SaleMiscount};

impl State {
    pub(super) fn audit(&self, now: Timestamp) -> LedgerAudit {
        let dues = self.dues_waiting(now);
        LedgerAudit {
            products: self.products.keys().filter_map(|id| self.audit_of(*id, now)).collect(),
            buyers: named(self.miscounted_buyers()),
            sales: named(self.miscounted_sales()),
            parked: count(self.parked().count()),
            unkept: named(self.unkept()),
            dead_letters: count(self.letters.iter().filter(|kept| kept.is_open()).count()),
            dues: count(self.dues.len()),
            oldest_due_ms: dues.oldest_ms,
        }
    }

    fn audit_of(&self, id: ProductId, now: Timestamp) -> Option<ProductAudit> {
        let level = self.level(id, now)?;
        let mut audit = ProductAudit {
            level,
            active: self.products.get(&id)?.active,
            recomputed: Counts { total: self.stock.get(&id)?.moved, ..Counts::default() },
            orders_taken: 0,
            orders_rejected: 0,
        };
        for order in self.orders.values() {
            let Some(terms) = order.terms.as_ref().filter(|terms| terms.product_id == id) else {
                continue;
            };
            let units = i64::from(terms.quantity.units());
            match order.status {
                Status::Reserved | Status::Pending => audit.recomputed.reserved += units,
                Status::Confirmed | Status::Fulfilled => audit.recomputed.sold += units,
                Status::Rejected => audit.orders_rejected += 1,
                _ => {}
            }
            audit.orders_taken += i64::from(order.status.takes_units());
        }
        Some(audit)
    }

    /// The terms of all orders that hold or bought units.
    fn taken(&self) -> impl Iterator<Item = &Terms> {
        let taking = self.orders.values().filter(|order| order.status.takes_units());
        taking.filter_map(|order| order.terms.as_ref())
    }

    fn miscounted_buyers(&self) -> Vec<BuyerMiscount> {
        let mut ordered: BTreeMap<BuyerKey, i64> = BTreeMap::new();
        for terms in self.taken() {
            let buyer = (terms.product_id, terms.sale_id, terms.user_id.clone());
            *ordered.entry(buyer).or_default() += i64::from(terms.quantity.units());
        }
        let buyers: BTreeSet<_> = self.bought.keys().chain(ordered.keys()).collect();
        let limited = buyers.into_iter().filter(|(product, sale, _)| self.limits(*product, *sale));
        let miscount = |buyer: &BuyerKey| BuyerMiscount {
            product_id: buyer.0,
            sale_id: buyer.1,
            user_id: buyer.2.as_str().into(),
            counted: self.bought.get(buyer).copied().unwrap_or_default().into(),
            ordered: ordered.get(buyer).copied().unwrap_or_default(),
        };
        limited.map(miscount).filter(|found| found.counted != found.ordered).collect()
    }

    /// Whether a limit counts what is bought there.
    fn limits(&self, product: ProductId, sale: Option<SaleId>) -> bool {
        let limit = match sale {
            Some(sale) => self.sales.get(&sale).and_then(|sale| sale.per_user_limit),
            None => self.products.get(&product).and_then(|product| product.per_user_limit),
        };
        limit.is_some()
    }

    fn miscounted_sales(&self) -> Vec<SaleMiscount> {
        let capped = self.sales.values().filter(|sale| sale.quantity.is_some());
        let miscount = |sale: &Sale| {
            let (id, product_id) = (sale.id, sale.product_id);
            let theirs =
                self.taken().filter(|t| t.sale_id == Some(id) && t.product_id == product_id);
            let ordered = theirs.map(|terms| i64::from(terms.quantity.units())).sum();
            SaleMiscount { sale_id: id, product_id, counted: sale.taken, ordered }
        };
        capped.map(miscount).filter(|found| found.counted != found.ordered).collect()
    }

    fn parked(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(|order| order.status == Status::Parked)
    }

    fn unkept(&self) -> Vec<TrackingId> {
        let open = self.letters.iter().filter(|kept| kept.is_open());
        let kept: BTreeSet<_> = open.filter_map(|kept| kept.letter.order_id).collect();
        let mut unkept: Vec<_> =
            self.parked().map(|order| order.id).filter(|id| !kept.contains(id)).collect();
        unkept.sort_unstable();
        unkept
    }
}

fn named<T>(mut found: Vec<T>) -> Named<T> {
    let count = count(found.len());
    found.truncate(NAMED_MAX);
    Named { count, first: found }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
