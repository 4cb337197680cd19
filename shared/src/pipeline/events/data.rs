//! The payloads.
//!
//! After a crash an event is built again from the order as it stands *then*. So that it says the
//! same, only what never changes about an order goes in, beside what the change itself says. The
//! one exception is what is to be refunded: that list grows.

use std::fmt::Display;

use serde::{Serialize, Serializer};

use crate::domain::stock::SaleLeft;
use crate::domain::{
    Currency, Money, OrderEvent, PaymentRef, ProductId, Quantity, Reason, SaleId, StockLevel,
    Timestamp, TrackingId,
};
use crate::ports::OrderChange;

/// A value in its text form.
pub(super) struct Shown<T>(pub(super) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Orders of one product to which the same happened.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrdersData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) product_id: Option<ProductId>,
    pub(super) orders: Vec<OrderData<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderData<'a> {
    order_id: TrackingId,
    version: i64,
    accepted_at: Shown<Timestamp>,
    #[serde(flatten)]
    terms: Option<TermsData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Shown<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Shown<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_of: Option<TrackingId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reclaims: Option<TrackingId>,
    #[serde(flatten)]
    refund: Option<RefundData<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TermsData<'a> {
    user_id: &'a str,
    quantity: Quantity,
    unit_price: Shown<Money>,
    currency: Shown<Currency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sale_id: Option<SaleId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundData<'a> {
    refund_due_at: Shown<Timestamp>,
    payment_references: Vec<&'a str>,
}

impl<'a> OrderData<'a> {
    /// What `change` tells of its order.
    pub(super) fn of(change: &'a OrderChange) -> Self {
        let OrderChange { event, version, order } = change;
        if *event == OrderEvent::Parked {
            return Self::parked(order.id, *version);
        }
        let terms = order.terms.as_ref().map(|terms| TermsData {
            user_id: terms.user_id.as_str(),
            quantity: terms.quantity,
            unit_price: Shown(terms.unit_price),
            currency: Shown(terms.unit_price.currency),
            sale_id: terms.sale_id,
        });
        let refund = order.refund.as_ref().filter(|_| *event == OrderEvent::RefundDue);
        Self {
            terms,
            accepted_at: Shown(order.accepted_at),
            decided_at: order.decided_at.map(Shown),
            expires_at: order.expires_at.map(Shown),
            reason: order.reason,
            replay_of: order.replay_of,
            reclaims: order.reclaims,
            refund: refund.map(|refund| RefundData {
                refund_due_at: Shown(refund.due_at),
                payment_references: refund.references.iter().map(PaymentRef::as_str).collect(),
            }),
            ..Self::parked(order.id, *version)
        }
    }

    /// Only what the ID says: nothing else could be trusted then, whatever is known by now.
    fn parked(order_id: TrackingId, version: i64) -> Self {
        Self {
            order_id,
            version,
            accepted_at: Shown(order_id.issued_at()),
            terms: None,
            decided_at: None,
            expires_at: None,
            reason: None,
            replay_of: None,
            reclaims: None,
            refund: None,
        }
    }
}

/// Where the units of a product are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockData {
    product_id: ProductId,
    available: i64,
    reserved: i64,
    sold: i64,
    total: i64,
    version: i64,
    #[serde(flatten)]
    sale: Option<SaleLeft>,
}

impl From<&StockLevel> for StockData {
    fn from(&StockLevel { product_id, counts, version, sale }: &StockLevel) -> Self {
        Self {
            product_id,
            available: counts.available(),
            reserved: counts.reserved,
            sold: counts.sold,
            total: counts.total,
            version,
            sale,
        }
    }
}

/// A product or one of its sales.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubjectData {
    pub(super) product_id: ProductId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sale_id: Option<SaleId>,
}
