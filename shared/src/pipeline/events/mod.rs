//! Domain events for other systems, as CloudEvents: of every outbox row one per type and product.
//!
//! Pure: the same announcement makes the same events, with the same IDs, however often it is paid.

mod data;
mod envelope;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use serde::Serialize;

use self::data::{OrderData, OrdersData, StockData, SubjectData};
use self::envelope::{Attributes, sealed};
use crate::config;
use crate::domain::{Notice, OrderEvent, ProductId, SaleId, StockLevel};
use crate::ports::{Announcement, Event, OrderChange};

/// Orders in one event: about 300 kB.
const ORDERS_MAX: usize = 1_000;
/// What the type of an event is when counts changed.
const STOCK_CHANGED: &str = "stock.changed";

/// Makes events of announcements.
#[derive(Debug, Clone)]
pub struct Events {
    source: Arc<str>,
}

impl Events {
    /// Nothing where events are turned off.
    pub fn from_config(config: &config::Events) -> Option<Self> {
        config.enabled.then(|| Self { source: config.source.as_str().into() })
    }

    /// The events of `announcement`: orders, then stock, then notices.
    pub fn of(&self, announcement: &Announcement) -> Vec<Event> {
        let row = Row { source: &self.source, announcement };
        let mut events = Vec::new();
        for ((event, product), changes) in by_type_and_product(&announcement.orders) {
            let parts = changes.chunks(ORDERS_MAX).enumerate();
            events.extend(parts.map(|(part, changes)| row.orders(event, product, part, changes)));
        }
        events.extend(announcement.levels.iter().map(|level| row.stock(STOCK_CHANGED, level)));
        events.extend(announcement.notices.iter().map(|notice| row.notice(notice)));
        events
    }
}

type Group<'a> = ((OrderEvent, Option<ProductId>), Vec<&'a OrderChange>);

/// In the order of an order's life, each group in the order in which it happened.
fn by_type_and_product(changes: &[OrderChange]) -> impl Iterator<Item = Group<'_>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for change in changes {
        groups.entry((change.event, product_of(change))).or_default().push(change);
    }
    groups.into_iter()
}

/// An order that was parked had no product then, even if a replay has found it since.
fn product_of(change: &OrderChange) -> Option<ProductId> {
    let terms = change.order.terms.as_ref().filter(|_| change.event != OrderEvent::Parked);
    terms.map(|terms| terms.product_id)
}

/// An outbox row whose events are made.
struct Row<'a> {
    source: &'a str,
    announcement: &'a Announcement,
}

/// What tells the events of one row and type apart.
#[derive(Default)]
struct About {
    product: Option<ProductId>,
    sale: Option<SaleId>,
    /// From the second part on.
    part: Option<usize>,
}

impl Row<'_> {
    fn orders(
        &self,
        event: OrderEvent,
        product: Option<ProductId>,
        part: usize,
        changes: &[&OrderChange],
    ) -> Event {
        let orders = changes.iter().copied().map(OrderData::of).collect();
        let part = (part > 0).then_some(part + 1);
        let about = About { product, part, ..About::default() };
        self.event(event.as_str(), &about, OrdersData { product_id: product, orders })
    }

    fn stock(&self, name: &'static str, level: &StockLevel) -> Event {
        let about = About { product: Some(level.product_id), ..About::default() };
        self.event(name, &about, StockData::from(level))
    }

    /// What is told of stock comes with the counts.
    fn notice(&self, notice: &Notice) -> Event {
        let &Notice { product_id, sale_id, event } = notice;
        let levels = self.announcement.levels.iter();
        let level = levels.filter(|_| event.is_about_stock()).find(|l| l.product_id == product_id);
        if let Some(level) = level {
            return self.stock(event.as_str(), level);
        }
        let about = About { product: Some(product_id), sale: sale_id, part: None };
        self.event(event.as_str(), &about, SubjectData { product_id, sale_id })
    }

    fn event(&self, name: &'static str, about: &About, data: impl Serialize) -> Event {
        let product = about.product.map(|id| format!("products/{id}"));
        let attributes = Attributes {
            id: self.id(name, about),
            source: self.source,
            name,
            at: self.announcement.at,
            subject: about.sale.map(|id| format!("sales/{id}")).or(product),
            partition: about.product,
        };
        sealed(attributes, data)
    }

    /// The moment is part of it because a ledger restored from a backup numbers its rows anew.
    fn id(&self, name: &str, about: &About) -> String {
        let Announcement { due, at, .. } = self.announcement;
        let mut id = format!("{}/{}/{name}", at.millis(), due.map_or(0, |due| due.0));
        let number = |number: &dyn Display| format!("/{number}");
        id.extend(about.product.as_ref().map(|product| number(product)));
        id.extend(about.sale.as_ref().map(|sale| number(sale)));
        id.extend(about.part.as_ref().map(|part| number(part)));
        id
    }
}
