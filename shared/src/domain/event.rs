//! What happened, as other systems are told.

use serde::{Deserialize, Serialize};

use super::ids::{ProductId, SaleId};
use super::order::{Order, Status};
use super::stock::Counts;

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OrderEvent {
    /// Settled and refused.
    Rejected,
    /// Waits for an operator.
    Parked,
    /// Units are held.
    Reserved,
    /// Checkout began.
    Pending,
    /// A refused payment gave the hold back to its owner.
    HoldKept,
    /// Sold.
    Confirmed,
    /// A payment for something that was sold already became known.
    Paid,
    /// The hold ran out.
    HoldExpired,
    /// The hold was given back.
    HoldCancelled,
    /// A sold order was taken back.
    Cancelled,
    /// The payment was refused or never came.
    Failed,
    /// Shipped.
    Fulfilled,
    /// Money has to go back.
    RefundDue,
}

/// The names, as in the ledger and in routing keys.
const NAMES: &[(OrderEvent, &str)] = &[
    (OrderEvent::Rejected, "order.rejected"),
    (OrderEvent::Parked, "order.parked"),
    (OrderEvent::Reserved, "reservation.created"),
    (OrderEvent::Pending, "order.pending"),
    (OrderEvent::HoldKept, "reservation.kept"),
    (OrderEvent::Confirmed, "order.confirmed"),
    (OrderEvent::Paid, "order.paid"),
    (OrderEvent::HoldExpired, "reservation.expired"),
    (OrderEvent::HoldCancelled, "reservation.cancelled"),
    (OrderEvent::Cancelled, "order.cancelled"),
    (OrderEvent::Failed, "order.failed"),
    (OrderEvent::Fulfilled, "order.fulfilled"),
    (OrderEvent::RefundDue, "order.refund-due"),
];

impl OrderEvent {
    /// Every event.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(event, _)| *event)
    }

    /// The stable name, such as `order.confirmed`.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(event, _)| *event == self).map_or("", |(_, name)| name)
    }

    /// The event of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(event, _)| *event)
    }

    /// What settling an order to where it stands now is called.
    pub fn settled(order: &Order) -> Self {
        Self::reached(order.status, order.status)
    }

    /// What going from one state to another is called.
    pub(super) fn reached(from: Status, to: Status) -> Self {
        match (from, to) {
            (Status::Pending, Status::Reserved) => Self::HoldKept,
            (_, Status::Reserved) => Self::Reserved,
            (_, Status::Pending) => Self::Pending,
            (_, Status::Confirmed) => Self::Confirmed,
            (_, Status::Expired) => Self::HoldExpired,
            (Status::Reserved | Status::Pending, Status::Cancelled) => Self::HoldCancelled,
            (_, Status::Cancelled) => Self::Cancelled,
            (_, Status::Failed) => Self::Failed,
            (_, Status::Fulfilled) => Self::Fulfilled,
            (_, Status::Queued | Status::Parked) => Self::Parked,
            (_, Status::Rejected) => Self::Rejected,
        }
    }
}

/// Fewer than this share of all units left is low stock, in percent.
const LOW_STOCK_PERCENT: i64 = 10;

/// What happened to something other than an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// The product it concerns.
    pub product_id: ProductId,
    /// The sale, where it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale_id: Option<SaleId>,
    /// What happened.
    pub event: NoticeEvent,
}

/// What may happen to stock, a product or a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NoticeEvent {
    /// A tenth of all units or fewer are left.
    #[serde(rename = "stock.low")]
    StockLow,
    /// Nothing is left.
    #[serde(rename = "stock.sold-out")]
    SoldOut,
    /// Something is there again.
    #[serde(rename = "stock.replenished")]
    Replenished,
    /// An operator moved stock.
    #[serde(rename = "stock.moved")]
    StockMoved,
    /// A product was added.
    #[serde(rename = "product.created")]
    ProductCreated,
    /// A product was changed.
    #[serde(rename = "product.changed")]
    ProductChanged,
    /// A sale was planned.
    #[serde(rename = "sale.created")]
    SaleCreated,
    /// A sale was changed.
    #[serde(rename = "sale.changed")]
    SaleChanged,
    /// A sale was called off.
    #[serde(rename = "sale.cancelled")]
    SaleCancelled,
    /// A sale opened.
    #[serde(rename = "sale.started")]
    SaleStarted,
    /// A sale closed.
    #[serde(rename = "sale.ended")]
    SaleEnded,
}

impl NoticeEvent {
    /// Every event.
    pub const ALL: &[Self] = &[
        Self::StockLow,
        Self::SoldOut,
        Self::Replenished,
        Self::StockMoved,
        Self::ProductCreated,
        Self::ProductChanged,
        Self::SaleCreated,
        Self::SaleChanged,
        Self::SaleCancelled,
        Self::SaleStarted,
        Self::SaleEnded,
    ];

    /// The stable name, such as `stock.low`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StockLow => "stock.low",
            Self::SoldOut => "stock.sold-out",
            Self::Replenished => "stock.replenished",
            Self::StockMoved => "stock.moved",
            Self::ProductCreated => "product.created",
            Self::ProductChanged => "product.changed",
            Self::SaleCreated => "sale.created",
            Self::SaleChanged => "sale.changed",
            Self::SaleCancelled => "sale.cancelled",
            Self::SaleStarted => "sale.started",
            Self::SaleEnded => "sale.ended",
        }
    }

    /// Whether it is the counts of a product that changed.
    pub const fn is_about_stock(self) -> bool {
        matches!(self, Self::StockLow | Self::SoldOut | Self::Replenished | Self::StockMoved)
    }
}

impl Notice {
    /// Something that happened to a product.
    pub const fn of_product(product_id: ProductId, event: NoticeEvent) -> Self {
        Self { product_id, sale_id: None, event }
    }

    /// The threshold that a product's stock crossed, if it crossed one.
    pub fn of_stock(product_id: ProductId, before: Counts, after: Counts) -> Option<Self> {
        let (had, has) = (before.available(), after.available());
        let low = after.total.saturating_mul(LOW_STOCK_PERCENT) / 100;
        let event = match (had, has) {
            (1.., 0) => NoticeEvent::SoldOut,
            (0, 1..) => NoticeEvent::Replenished,
            _ if had > low && has <= low => NoticeEvent::StockLow,
            _ => return None,
        };
        Some(Self::of_product(product_id, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_noticed_when_it_is_crossed() {
        let noticed = |had: i64, has: i64| {
            let counts = |available| Counts { total: 100, reserved: 0, sold: 100 - available };
            Notice::of_stock(ProductId(1), counts(had), counts(has)).map(|notice| notice.event)
        };
        assert_eq!(noticed(100, 11), None);
        assert_eq!(noticed(11, 10), Some(NoticeEvent::StockLow));
        assert_eq!(noticed(10, 9), None);
        assert_eq!(noticed(9, 0), Some(NoticeEvent::SoldOut));
        assert_eq!(noticed(0, 3), Some(NoticeEvent::Replenished));
        assert_eq!(noticed(3, 50), None);
    }

    #[test]
    fn a_notice_is_named_alike_on_every_way() {
        for event in [NoticeEvent::StockLow, NoticeEvent::SaleStarted, NoticeEvent::SoldOut] {
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
        }
    }

    #[test]
    fn names_are_unique_and_lead_back() {
        for event in OrderEvent::all() {
            assert_eq!(OrderEvent::from_name(event.as_str()), Some(event));
        }
    }
}
