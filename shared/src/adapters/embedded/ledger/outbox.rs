//! Paying what a crash of its payer left: in one process, a failed announcement.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::settle::LEASE_MS;
use super::state::{Due, State};
use crate::domain::Timestamp;
use crate::ports::{Announcement, DueId};

impl State {
    /// Leases dues whose lease ran out, oldest first.
    pub(super) fn lease(&mut self, limit: usize, now: Timestamp) -> Vec<Announcement> {
        let free = self.dues.iter_mut().filter(|(_, due)| due.leased_until < now).take(limit);
        let leased: Vec<_> = free
            .map(|(id, due)| {
                due.leased_until = now.plus_millis(LEASE_MS);
                (*id, due.clone())
            })
            .collect();
        leased.into_iter().map(|(id, due)| self.announcement(id, &due, now)).collect()
    }

    fn announcement(&self, id: DueId, due: &Due, now: Timestamp) -> Announcement {
        let orders = due.orders.iter().filter_map(|id| self.orders.get(id));
        let orders: Vec<_> = orders.cloned().map(Arc::new).collect();
        let products: BTreeSet<_> =
            orders.iter().filter_map(|order| Some(order.terms.as_ref()?.product_id)).collect();
        Announcement {
            due: Some(id),
            levels: products.into_iter().filter_map(|id| self.level(id, now)).collect(),
            dead_letters: due
                .letters
                .iter()
                .filter_map(|i| self.letters.get(*i).cloned())
                .collect(),
            orders,
        }
    }
}
