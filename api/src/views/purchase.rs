//! Purchases as clients are shown them.

use serde::Serialize;
use shared::domain::{
    Catalogue, Currency, Order, ProductId, Quantity, Reason, Sku, Status, Terms, TrackingId, UserId,
};
use shared::pipeline::track::Tracked;
use utoipa::ToSchema;

use super::schema;
use super::text::{Decimal, Moment};

/// A purchase that was concluded while the client waited.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sold {
    /// True while the units are the buyer's.
    pub success: bool,
    /// The order.
    #[schema(value_type = uuid::Uuid)]
    pub order_id: TrackingId,
    /// The same ID.
    #[schema(value_type = uuid::Uuid)]
    pub tracking_id: TrackingId,
    /// `CONFIRMED`; for a retry of an older purchase, where it stands.
    #[schema(schema_with = schema::status)]
    pub status: Status,
    /// The product.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    pub product_id: ProductId,
    /// Units.
    #[schema(value_type = u32, minimum = 1, example = 1)]
    pub quantity: Quantity,
    /// The buyer, always as a string.
    #[schema(value_type = String, example = "u-1")]
    pub user_id: UserId,
    /// The price of one unit at acceptance.
    #[schema(value_type = String, example = "999.99")]
    pub unit_price: Decimal,
    /// The price of all units.
    #[schema(value_type = String, example = "999.99")]
    pub total_price: Decimal,
    /// ISO 4217.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// Units still available right after; null where that is not known.
    #[schema(minimum = 0, example = 99)]
    pub remaining_stock: Option<i64>,
    /// For people.
    #[schema(example = "It is yours.")]
    pub message: &'static str,
    /// When it was decided, by the ledger's clock.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pub decided_at: Option<Moment>,
}

impl Sold {
    /// The answer for `order`, which has these terms.
    pub fn new(order: &Order, terms: &Terms, remaining_stock: Option<i64>) -> Self {
        let success = !order.status.is_terminal() || order.status == Status::Fulfilled;
        Self {
            success,
            order_id: order.id,
            tracking_id: order.id,
            status: order.status,
            product_id: terms.product_id,
            quantity: terms.quantity,
            user_id: terms.user_id.clone(),
            unit_price: Decimal(terms.unit_price),
            total_price: Decimal(terms.unit_price.times(terms.quantity.units())),
            currency: terms.unit_price.currency,
            remaining_stock,
            message: if success { "It is yours." } else { "It was yours, and is no longer." },
            decided_at: order.decided_at.map(Moment),
        }
    }
}

/// What became of a purchase. Fields that are not known yet are null.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PurchaseView {
    /// The ID that was asked for.
    #[schema(value_type = uuid::Uuid)]
    tracking_id: TrackingId,
    /// The order it is; of a replay, its original.
    #[schema(value_type = uuid::Uuid)]
    order_id: TrackingId,
    /// Where it stands.
    #[schema(schema_with = schema::status)]
    status: Status,
    /// True where it will never change again.
    terminal: bool,
    /// Why it was refused.
    #[schema(schema_with = schema::reason)]
    reason: Option<Reason>,
    /// The product.
    #[schema(value_type = Option<i64>, minimum = 1, example = 1)]
    product_id: Option<ProductId>,
    /// The product's SKU.
    #[schema(value_type = Option<String>, example = "PHONE-15-PRO")]
    sku: Option<Sku>,
    /// Units.
    #[schema(value_type = Option<u32>, minimum = 1, example = 1)]
    quantity: Option<Quantity>,
    /// The buyer, always as a string; null for strangers.
    #[schema(value_type = Option<String>, example = "u-1")]
    user_id: Option<UserId>,
    /// The price of one unit at acceptance.
    #[schema(value_type = Option<String>, example = "999.99")]
    unit_price: Option<Decimal>,
    /// The price of all units.
    #[schema(value_type = Option<String>, example = "999.99")]
    total_price: Option<Decimal>,
    /// ISO 4217.
    #[schema(value_type = Option<String>, example = "USD")]
    currency: Option<Currency>,
    /// When it was accepted.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    accepted_at: Moment,
    /// When it was decided, by the ledger's clock.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    decided_at: Option<Moment>,
    /// When the hold ends, by the ledger's clock.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    expires_at: Option<Moment>,
    /// 0 while queued; rises with every change.
    #[schema(minimum = 0, example = 1)]
    version: i64,
    /// Of a retry that was recognised late: the original, whose state this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    replay_of: Option<TrackingId>,
}

impl PurchaseView {
    /// What is known of the ID `asked`; the buyer is named where `whole`.
    pub fn new(
        asked: TrackingId,
        tracked: &Tracked,
        catalogue: Option<&Catalogue>,
        whole: bool,
    ) -> Self {
        let order = &tracked.order;
        let terms = order.terms.as_ref();
        let sku = terms.and_then(|terms| {
            let product = shared::domain::ProductRef::Id(terms.product_id);
            catalogue?.find(&product).map(|product| product.sku.clone())
        });
        Self {
            tracking_id: asked,
            order_id: order.id,
            status: order.status,
            terminal: order.status.is_terminal(),
            reason: order.reason,
            product_id: terms.map(|terms| terms.product_id),
            sku,
            quantity: terms.map(|terms| terms.quantity),
            user_id: terms.filter(|_| whole).map(|terms| terms.user_id.clone()),
            unit_price: terms.map(|terms| Decimal(terms.unit_price)),
            total_price: terms.map(|terms| Decimal(terms.unit_price.times(terms.quantity.units()))),
            currency: terms.map(|terms| terms.unit_price.currency),
            accepted_at: Moment(order.accepted_at),
            decided_at: order.decided_at.map(Moment),
            expires_at: order.expires_at.map(Moment),
            version: order.version,
            replay_of: tracked.replay_of,
        }
    }
}

/// What became of many purchases.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct PurchaseList {
    /// Those that were issued, in the order in which they were asked for.
    pub purchases: Vec<PurchaseView>,
    /// IDs that were never issued.
    #[schema(value_type = Vec<uuid::Uuid>)]
    pub unknown: Vec<TrackingId>,
}
