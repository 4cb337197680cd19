//! Sales.

use super::state::State;
use crate::domain::{Money, Notice, NoticeEvent, Phase, Sale, SaleId, Timestamp};
use crate::ports::{Announcement, LedgerError, NewSale, SaleChange, SaleQuery};

impl State {
    pub(super) fn create_sale(
        &mut self,
        new: &NewSale,
        now: Timestamp,
    ) -> Result<(Sale, Announcement), LedgerError> {
        let product_id = self.find(&new.product)?;
        let product = self.products.get(&product_id).ok_or(LedgerError::ProductNotFound)?;
        let last = self.sales.keys().next_back().map_or(0, |id| id.0);
        let sale = Sale {
            id: SaleId(last + 1),
            product_id,
            price: Money { minor: new.price_minor, ..product.price },
            starts_at: new.starts_at,
            ends_at: new.ends_at,
            per_user_limit: new.per_user_limit,
            hold_seconds: new.hold_seconds,
            quantity: new.quantity,
            taken: 0,
            cancelled: false,
            waiting_room: new.waiting_room,
        };
        self.check(&sale)?;
        let announcement = self.write_sale(&sale, NoticeEvent::SaleCreated, now);
        Ok((sale, announcement))
    }

    pub(super) fn change_sale(
        &mut self,
        id: SaleId,
        change: &SaleChange,
        now: Timestamp,
    ) -> Result<(Sale, Announcement), LedgerError> {
        let old = self.sales.get(&id).ok_or(LedgerError::SaleNotFound)?.clone();
        let mut sale = change.applied_to(&old, now)?;
        self.check(&sale)?;
        sale.taken = match (old.quantity, sale.quantity) {
            (Some(_), Some(_)) => old.taken,
            (None, Some(_)) => self.taken_in(id),
            (_, None) => 0,
        };
        if sale.quantity.is_some_and(|quantity| quantity < sale.taken) {
            return Err(LedgerError::SaleTaken { taken: sale.taken });
        }
        if old.per_user_limit.is_none() && sale.per_user_limit.is_some() {
            self.recount_buyers(sale.product_id, Some(id));
        }
        let announcement = self.write_sale(&sale, NoticeEvent::SaleChanged, now);
        Ok((sale, announcement))
    }

    pub(super) fn cancel_sale(
        &mut self,
        id: SaleId,
        now: Timestamp,
    ) -> Result<(Sale, Option<Announcement>), LedgerError> {
        let old = self.sales.get(&id).ok_or(LedgerError::SaleNotFound)?.clone();
        match old.phase(now) {
            Phase::Cancelled => return Ok((old, None)),
            Phase::Ended => return Err(LedgerError::SaleFixed(Phase::Ended)),
            Phase::Upcoming | Phase::Live => {}
        }
        let sale = Sale { cancelled: true, ..old };
        let announcement = self.write_sale(&sale, NoticeEvent::SaleCancelled, now);
        Ok((sale, Some(announcement)))
    }

    pub(super) fn list_sales(&self, asked: &SaleQuery, now: Timestamp) -> Vec<Sale> {
        let after = self.sales.range(SaleId(asked.after.0.saturating_add(1))..);
        let sales = after.map(|(_, sale)| sale);
        let wanted = |sale: &&Sale| asked.phase.is_none_or(|phase| sale.phase(now) == phase);
        sales.filter(wanted).take(asked.limit).cloned().collect()
    }

    pub(super) fn note_phases(&mut self, now: Timestamp) -> Option<Announcement> {
        let mut notices = Vec::new();
        for sale in self.sales.values().filter(|sale| !sale.cancelled) {
            let announced = self.announced.entry(sale.id).or_insert(Phase::Upcoming);
            let (next, event) = match *announced {
                Phase::Upcoming if sale.starts_at <= now => (Phase::Live, NoticeEvent::SaleStarted),
                Phase::Live if sale.ends_at <= now => (Phase::Ended, NoticeEvent::SaleEnded),
                _ => continue,
            };
            *announced = next;
            let (product_id, sale_id) = (sale.product_id, Some(sale.id));
            notices.push(Notice { product_id, sale_id, event });
        }
        (!notices.is_empty()).then(|| self.announce(notices, now))
    }

    /// What PostgreSQL's constraints refuse.
    fn check(&self, sale: &Sale) -> Result<(), LedgerError> {
        if sale.starts_at >= sale.ends_at {
            return Err(LedgerError::SaleBackwards);
        }
        let in_the_way = |other: &&Sale| {
            other.product_id == sale.product_id
                && other.id != sale.id
                && !other.cancelled
                && other.starts_at < sale.ends_at
                && other.ends_at > sale.starts_at
        };
        let others = self.sales.values().filter(in_the_way);
        match others.min_by_key(|other| other.starts_at) {
            Some(other) => Err(LedgerError::SaleOverlap(other.id)),
            None => Ok(()),
        }
    }

    fn taken_in(&self, id: SaleId) -> i64 {
        let taking = self.orders.values().filter(|order| order.status.takes_units());
        let theirs = taking.filter_map(|order| order.terms.as_ref());
        let theirs = theirs.filter(|terms| terms.sale_id == Some(id));
        theirs.map(|terms| i64::from(terms.quantity.units())).sum()
    }

    fn write_sale(&mut self, sale: &Sale, event: NoticeEvent, now: Timestamp) -> Announcement {
        self.sales.insert(sale.id, sale.clone());
        self.catalogue_changes += 1;
        self.raise_version(sale.product_id);
        let notice = Notice { product_id: sale.product_id, sale_id: Some(sale.id), event };
        self.announce(vec![notice], now)
    }
}
