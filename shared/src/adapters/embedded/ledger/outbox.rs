//! Paying what a crash of its payer left: in one process, a failed announcement.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::settle::LEASE_MS;
use super::state::State;
use crate::domain::Timestamp;
use crate::ports::{Announcement, DuesWaiting, OrderChange};

impl State {
    /// Leases dues whose lease ran out, oldest first.
    pub(super) fn lease(&mut self, limit: usize, now: Timestamp) -> Vec<Announcement> {
        let free = self.dues.values_mut().filter(|due| due.leased_until < now).take(limit);
        let leased: Vec<_> = free
            .map(|due| {
                due.leased_until = now.plus_millis(LEASE_MS);
                due.announcement.clone()
            })
            .collect();
        leased.into_iter().map(|announcement| self.renewed(announcement, now)).collect()
    }

    pub(super) fn dues_waiting(&self, now: Timestamp) -> DuesWaiting {
        let oldest = self.dues.values().map(|due| due.announcement.at).min();
        let oldest_ms = oldest.map_or(0, |at| now.millis() - at.millis());
        DuesWaiting { count: self.dues.len() as u64, oldest_ms }
    }

    /// The announcement with orders and counts as they are now.
    fn renewed(&self, announcement: Announcement, now: Timestamp) -> Announcement {
        let renew = |change: OrderChange| match self.orders.get(&change.order.id) {
            Some(order) => OrderChange { order: Arc::new(order.clone()), ..change },
            None => change,
        };
        let orders: Vec<_> = announcement.orders.into_iter().map(renew).collect();
        let sold = orders.iter().filter_map(|change| Some(change.order.terms.as_ref()?.product_id));
        let noticed = announcement.notices.iter().map(|notice| notice.product_id);
        let products: BTreeSet<_> = sold.chain(noticed).collect();
        Announcement { levels: self.levels(products.into_iter(), now), orders, ..announcement }
    }
}
