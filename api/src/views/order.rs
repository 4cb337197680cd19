//! Orders and reservations as clients are shown them.

use serde::Serialize;
use serde_json::Value;
use shared::domain::{
    Advanced, Catalogue, Currency, Order, PaymentRef, ProductId, ProductRef, Quantity, Reason,
    SaleId, Sku, Status, Timestamp, TrackingId, UserId,
};
use utoipa::ToSchema;

use super::schema;
use super::text::{Decimal, Moment};

/// An order. Fields that are not known yet are null.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderView {
    /// The order.
    #[schema(value_type = uuid::Uuid)]
    order_id: TrackingId,
    /// The same ID.
    #[schema(value_type = uuid::Uuid)]
    tracking_id: TrackingId,
    /// The same ID, where the order began as a hold.
    #[schema(value_type = Option<uuid::Uuid>)]
    reservation_id: Option<TrackingId>,
    /// The buyer, always as a string.
    #[schema(value_type = Option<String>, example = "u-1")]
    user_id: Option<UserId>,
    /// The product.
    #[schema(value_type = Option<i64>, minimum = 1, example = 1)]
    product_id: Option<ProductId>,
    /// The product's SKU.
    #[schema(value_type = Option<String>, example = "PHONE-15-PRO")]
    sku_id: Option<Sku>,
    /// The sale that it was sold in.
    #[schema(value_type = Option<i64>)]
    flash_sale_id: Option<SaleId>,
    /// Units.
    #[schema(value_type = Option<u32>, minimum = 1, example = 1)]
    quantity: Option<Quantity>,
    /// The price of one unit at acceptance.
    #[schema(value_type = Option<String>, example = "999.99")]
    unit_price: Option<Decimal>,
    /// The price of all units.
    #[schema(value_type = Option<String>, example = "999.99")]
    total_price: Option<Decimal>,
    /// ISO 4217.
    #[schema(value_type = Option<String>, example = "USD")]
    currency: Option<Currency>,
    /// Where it stands.
    #[schema(schema_with = schema::status)]
    status: Status,
    /// True where it will never change again.
    terminal: bool,
    /// Why it was refused.
    #[schema(schema_with = schema::reason)]
    reason: Option<Reason>,
    /// The means of payment.
    #[schema(example = "card")]
    payment_method: Option<Box<str>>,
    /// The payment provider's transaction.
    #[schema(value_type = Option<String>)]
    payment_transaction_id: Option<PaymentRef>,
    /// Where to ship, as the shop sent it.
    shipping_address: Option<Value>,
    /// When it was accepted.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    created_at: Moment,
    /// When it was settled, by the ledger's clock.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    decided_at: Option<Moment>,
    /// When the hold ends or ended.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    expires_at: Option<Moment>,
    /// While pending: when the payment must be known.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pay_by: Option<Moment>,
    /// The ended hold whose late payment this order honours.
    #[schema(value_type = Option<uuid::Uuid>)]
    reclaims: Option<TrackingId>,
    /// Since when money has to go back.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    refund_due_at: Option<Moment>,
    /// The payments that have to go back.
    #[schema(value_type = Vec<String>)]
    refund_transaction_ids: Vec<PaymentRef>,
    /// The order that this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    replay_of: Option<TrackingId>,
    /// 0 while queued; rises with every change.
    #[schema(minimum = 0, example = 1)]
    version: i64,
}

impl OrderView {
    /// What is known of `order`.
    pub fn new(order: &Order, catalogue: Option<&Catalogue>) -> Self {
        let terms = order.terms.as_ref();
        let payment = order.payment.as_deref();
        let address = payment.and_then(|payment| payment.shipping_address.as_deref());
        let refund = order.refund.as_deref();
        Self {
            order_id: order.id,
            tracking_id: order.id,
            reservation_id: order.expires_at.map(|_| order.id),
            user_id: terms.map(|terms| terms.user_id.clone()),
            product_id: terms.map(|terms| terms.product_id),
            sku_id: sku(order, catalogue),
            flash_sale_id: terms.and_then(|terms| terms.sale_id),
            quantity: terms.map(|terms| terms.quantity),
            unit_price: terms.map(|terms| Decimal(terms.unit_price)),
            total_price: terms.map(|terms| Decimal(terms.unit_price.times(terms.quantity.units()))),
            currency: terms.map(|terms| terms.unit_price.currency),
            status: order.status,
            terminal: order.status.is_terminal(),
            reason: order.reason,
            payment_method: payment.and_then(|payment| payment.method.clone()),
            payment_transaction_id: payment.map(|payment| payment.reference.clone()),
            // It was JSON when it was stored.
            shipping_address: address.and_then(|address| serde_json::from_str(address).ok()),
            created_at: Moment(order.accepted_at),
            decided_at: order.decided_at.map(Moment),
            expires_at: order.expires_at.map(Moment),
            pay_by: order.pay_by.map(Moment),
            reclaims: order.reclaims,
            refund_due_at: refund.map(|refund| Moment(refund.due_at)),
            refund_transaction_ids: refund.map(|r| r.references.clone()).unwrap_or_default(),
            replay_of: order.replay_of,
            version: order.version,
        }
    }
}

/// A page of a user's orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderList {
    /// The orders.
    pub orders: Vec<OrderView>,
    /// `after` of the next page; null on the last.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub next: Option<TrackingId>,
}

/// Units held while the buyer pays. Fields that are not known yet are null.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationView {
    /// The reservation; its order ID and tracking ID too.
    #[schema(value_type = uuid::Uuid)]
    reservation_id: TrackingId,
    /// The same ID.
    #[schema(value_type = uuid::Uuid)]
    tracking_id: TrackingId,
    /// The holder, always as a string.
    #[schema(value_type = Option<String>, example = "u-1")]
    user_id: Option<UserId>,
    /// The product.
    #[schema(value_type = Option<i64>, minimum = 1, example = 1)]
    product_id: Option<ProductId>,
    /// The product's SKU.
    #[schema(value_type = Option<String>, example = "PHONE-15-PRO")]
    sku_id: Option<Sku>,
    /// Units.
    #[schema(value_type = Option<u32>, minimum = 1, example = 1)]
    quantity: Option<Quantity>,
    /// `RESERVED`, or what became of it.
    #[schema(schema_with = schema::status)]
    status: Status,
    /// Why it was refused.
    #[schema(schema_with = schema::reason)]
    reason: Option<Reason>,
    /// When the hold ends or ended, by the ledger's clock.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    expires_at: Option<Moment>,
    /// When it was accepted.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    created_at: Moment,
    /// Seconds left; 0 when it is over.
    #[schema(minimum = 0, example = 120)]
    expires_in_seconds: i64,
    /// Rises with every change.
    #[schema(minimum = 0, example = 1)]
    version: i64,
}

impl ReservationView {
    /// What is known of `order` at `now`.
    pub fn new(order: &Order, catalogue: Option<&Catalogue>, now: Timestamp) -> Self {
        let terms = order.terms.as_ref();
        let held = order.expires_at.filter(|_| order.status == Status::Reserved);
        let left_ms = held.map_or(0, |end| (end.millis() - now.millis()).max(0));
        Self {
            reservation_id: order.id,
            tracking_id: order.id,
            user_id: terms.map(|terms| terms.user_id.clone()),
            product_id: terms.map(|terms| terms.product_id),
            sku_id: sku(order, catalogue),
            quantity: terms.map(|terms| terms.quantity),
            status: order.status,
            reason: order.reason,
            expires_at: order.expires_at.map(Moment),
            created_at: Moment(order.accepted_at),
            // Rounded up: a hold that has something left is not over.
            expires_in_seconds: (left_ms + 999) / 1_000,
            version: order.version,
        }
    }
}

/// What a payment provider is told of its event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookReceipt {
    /// Always true.
    received: bool,
    /// The order it was about; null for an event that does not concern us.
    #[schema(value_type = Option<uuid::Uuid>)]
    order_id: Option<TrackingId>,
    /// Where the order stands.
    #[schema(schema_with = schema::status_or_null)]
    status: Option<Status>,
    /// The new order that honours a late payment.
    #[schema(value_type = Option<uuid::Uuid>)]
    reclaimed_by: Option<TrackingId>,
    /// Since when money has to go back.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    refund_due_at: Option<Moment>,
}

impl WebhookReceipt {
    /// Of an event that was heard.
    pub fn new(advanced: &Advanced) -> Self {
        let order = &advanced.order;
        Self {
            received: true,
            order_id: Some(order.id),
            status: Some(order.status),
            reclaimed_by: advanced.reclaim.as_ref().map(|reclaim| reclaim.id),
            refund_due_at: order.refund.as_ref().map(|refund| Moment(refund.due_at)),
        }
    }

    /// Of an event that does not concern us.
    pub fn ignored() -> Self {
        Self {
            received: true,
            order_id: None,
            status: None,
            reclaimed_by: None,
            refund_due_at: None,
        }
    }
}

fn sku(order: &Order, catalogue: Option<&Catalogue>) -> Option<Sku> {
    let product = ProductRef::Id(order.terms.as_ref()?.product_id);
    catalogue?.find(&product).map(|product| product.sku.clone())
}
