//! Settling a batch, and parking what cannot be settled.

use std::sync::Arc;

use chrono::DateTime;

use super::state::{Due, ORDERS_MAX, State};
use crate::domain::decide::ProductState;
use crate::domain::{Changes, Decision, Order, Purchase, Settled, Status, Timestamp, View, decide};
use crate::ports::{Announcement, DeadLetter, DueId, LedgerError, OrderChange, Recorded};

/// As long as the settler that wrote a due has to pay it from memory.
pub(super) const LEASE_MS: i64 = 5_000;

impl State {
    pub(super) fn record(
        &mut self,
        batch: &[Purchase],
        now: Timestamp,
    ) -> Result<Recorded, LedgerError> {
        if self.orders.len() + batch.len() > ORDERS_MAX {
            let full = format!("the embedded ledger is full ({ORDERS_MAX} orders)");
            return Err(LedgerError::Unavailable(full));
        }
        // What PostgreSQL refuses with a data exception.
        if let Some(purchase) = batch.iter().find(|purchase| !is_storable(purchase.accepted_at)) {
            let id = purchase.id;
            return Err(LedgerError::Poison(format!("{id} was accepted outside of time")));
        }
        let decision = decide(self.view(batch, now), batch);
        self.apply(&decision);
        for (purchase, settled) in batch.iter().zip(&decision.settled) {
            self.attempts.remove(&purchase.id);
            if *settled == Settled::Collision {
                // Plain values always have a JSON form.
                let body = serde_json::to_vec(purchase).unwrap_or_default();
                let error = "the ID belongs to another order".into();
                self.keep(&DeadLetter { order_id: None, body, error }, 0, now);
            }
        }
        let Decision { settled, inserts, replays, changes, notices } = decision;
        for order in &replays {
            self.close_letters(order.id, now);
        }
        let orders: Vec<_> = inserts.into_iter().chain(replays).map(OrderChange::settled).collect();
        let announcement = (!orders.is_empty()).then(|| {
            let levels = self.levels(changes.taken.keys().copied(), now);
            self.owe(Announcement { at: now, orders, notices, levels, ..Announcement::default() })
        });
        Ok(Recorded { settled, announcement })
    }

    /// The part of the ledger that the batch asks for.
    pub(super) fn view(&self, batch: &[Purchase], now: Timestamp) -> View {
        let mut view = View { now, ..View::default() };
        for purchase in batch {
            let terms = &purchase.terms;
            let (product_id, user_id) = (terms.product_id, &terms.user_id);
            let product = self.products.get(&product_id).zip(self.stock.get(&product_id));
            view.products.extend(product.map(|(product, stock)| {
                let (active, per_user_limit) = (product.active, product.per_user_limit);
                (product_id, ProductState { counts: stock.counts, active, per_user_limit })
            }));
            let sale = terms.sale_id.and_then(|id| self.sales.get(&id));
            view.sales.extend(sale.map(|sale| (sale.id, sale.clone())));
            let buyer = (product_id, terms.sale_id, user_id.clone());
            view.bought.extend(self.bought.get_key_value(&buyer).map(|(k, v)| (k.clone(), *v)));
            let holder = (product_id, user_id.clone());
            view.holders.extend(self.holders.contains_key(&holder).then_some(holder));
            let order = self.orders.get(&purchase.id);
            view.orders.extend(order.map(|order| (order.id, Arc::new(order.clone()))));
            if let Some(keyed) = &purchase.keyed {
                let owner = (user_id.clone(), keyed.key.clone());
                view.keys.extend(self.keys.get(&owner).map(|found| (owner, *found)));
            }
        }
        view
    }

    fn apply(&mut self, decision: &Decision) {
        for order in decision.inserts.iter().chain(&decision.replays) {
            self.store(order);
        }
        self.move_units(&decision.changes);
    }

    /// Stores an order, new or changed.
    pub(super) fn store(&mut self, order: &Order) {
        let holds = |order: &Order| matches!(order.status, Status::Reserved | Status::Pending);
        let old = self.orders.insert(order.id, order.clone());
        if let Some(at) = old.as_ref().and_then(deadline) {
            self.deadlines.remove(&(at, order.id));
        }
        self.deadlines.extend(deadline(order).map(|at| (at, order.id)));
        let Some(terms) = &order.terms else { return };
        if let Some(keyed) = &order.keyed {
            let owner = (terms.user_id.clone(), keyed.key.clone());
            self.keys.insert(owner, (order.id, keyed.fingerprint));
        }
        if let Some(ended) = order.reclaims {
            self.reclaimed.insert(ended, order.id);
        }
        let holder = (terms.product_id, terms.user_id.clone());
        match (old.as_ref().is_some_and(holds), holds(order)) {
            (false, true) => *self.holders.entry(holder).or_default() += 1,
            (true, false) => {
                if let Some(count) = self.holders.get_mut(&holder) {
                    *count -= 1;
                    if *count == 0 {
                        self.holders.remove(&holder);
                    }
                }
            }
            _ => {}
        }
    }

    /// Moves units of inventory, sales and buyers.
    pub(super) fn move_units(&mut self, changes: &Changes) {
        for (id, taken) in &changes.taken {
            if let Some(stock) = self.stock.get_mut(id) {
                stock.counts.reserved += taken.reserved;
                stock.counts.sold += taken.sold;
                stock.version += 1;
                debug_assert!(stock.counts.is_conserved(), "{id}: {:?}", stock.counts);
            }
        }
        for (id, units) in &changes.sales {
            if let Some(sale) = self.sales.get_mut(id) {
                sale.taken += units;
            }
        }
        for (buyer, units) in &changes.bought {
            let bought = self.bought.entry(buyer.clone()).or_default();
            *bought = u32::try_from(i64::from(*bought) + units).unwrap_or_default();
        }
    }

    /// Notes what is owed; leased to whoever made it due.
    pub(super) fn owe(&mut self, announcement: Announcement) -> Announcement {
        self.last_due += 1;
        let due = DueId(self.last_due);
        let announcement = Announcement { due: Some(due), ..announcement };
        let leased_until = announcement.at.plus_millis(LEASE_MS);
        self.dues.insert(due, Due { announcement: announcement.clone(), leased_until });
        announcement
    }

    pub(super) fn park(&mut self, letter: &DeadLetter, now: Timestamp) -> Option<Announcement> {
        if letter.order_id.is_some_and(|id| self.orders.contains_key(&id)) {
            self.note_failure(letter);
            return None;
        }
        let order = letter.order_id.map(Order::parked);
        let tried = letter.order_id.and_then(|id| self.attempts.remove(&id)).unwrap_or_default();
        let is_new = self.keep(letter, tried, now);
        if order.is_none() && !is_new {
            return None;
        }
        if let Some(order) = &order {
            self.store(order);
        }
        Some(self.owe(Announcement {
            at: now,
            orders: order.into_iter().map(OrderChange::settled).collect(),
            dead_letters: vec![letter.clone()],
            ..Announcement::default()
        }))
    }
}

/// When the time of an open hold or payment is up.
fn deadline(order: &Order) -> Option<Timestamp> {
    match order.status {
        Status::Reserved => order.expires_at,
        Status::Pending => order.pay_by,
        _ => None,
    }
}

/// A moment that can be shown as a date.
fn is_storable(at: Timestamp) -> bool {
    DateTime::from_timestamp_millis(at.millis()).is_some()
}
