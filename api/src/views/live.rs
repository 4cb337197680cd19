//! What is pushed to clients, beside what they can ask for.

use serde::Serialize;
use shared::domain::{Catalogue, Currency, Product, ProductId, Sale, SaleId, Sku, Timestamp};
use utoipa::ToSchema;

use super::product::is_available;
use super::schema;
use super::text::{Decimal, Moment};
use crate::levels::Seen;

/// The stock of a product, as it is pushed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockEvent {
    /// Its number.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    product_id: ProductId,
    /// The shop's own name of it.
    #[schema(value_type = String, example = "PHONE-15-PRO")]
    sku_id: Sku,
    /// Units that can still be bought.
    #[schema(minimum = 0, example = 99)]
    available_count: i64,
    /// Units held for buyers who have not paid yet.
    #[schema(minimum = 0, example = 0)]
    reserved_count: i64,
    /// Units sold.
    #[schema(minimum = 0, example = 1)]
    sold_count: i64,
    /// All units: available, reserved and sold.
    #[schema(minimum = 0, example = 100)]
    total_inventory: i64,
    /// A purchase of one unit would have been accepted at that moment.
    is_available: bool,
    /// Rises with every change of stock.
    #[schema(minimum = 1, example = 2)]
    version: i64,
    /// When these counts were last known to hold.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    as_of: Moment,
}

impl StockEvent {
    /// The stock of `product` at `now`.
    pub fn new(catalogue: &Catalogue, product: &Product, seen: Seen, now: Timestamp) -> Self {
        let counts = seen.level.counts;
        let offer = catalogue.offer(product, now);
        Self {
            product_id: product.id,
            sku_id: product.sku.clone(),
            available_count: counts.available(),
            reserved_count: counts.reserved,
            sold_count: counts.sold,
            total_inventory: counts.total,
            is_available: is_available(offer.as_ref().ok(), &seen.level),
            version: seen.level.version,
            as_of: Moment(seen.as_of),
        }
    }
}

/// Where a sale stands, as it is pushed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaleStatus {
    /// The sale.
    #[schema(value_type = i64, minimum = 1, example = 7)]
    pub sale_id: SaleId,
    /// What it sells, by number.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    product_id: ProductId,
    /// What it sells, by the shop's own name.
    #[schema(value_type = String, example = "PHONE-15-PRO")]
    sku_id: Sku,
    /// `upcoming`, `live`, `sold_out` (for now: units may come back), `ended` or `cancelled`.
    #[schema(schema_with = schema::sale_status)]
    pub status: &'static str,
    /// What a unit costs in it.
    #[schema(value_type = String, example = "499.99")]
    flash_price: Decimal,
    /// ISO 4217.
    #[schema(value_type = String, example = "USD")]
    currency: Currency,
    /// It opens at this moment.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    starts_at: Moment,
    /// It closes just before this moment.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    ends_at: Moment,
}

/// A live sale of which nothing is left for now.
pub const SOLD_OUT: &str = "sold_out";

impl SaleStatus {
    /// `sale` of `product`, which stands so.
    pub fn new(sale: &Sale, product: &Product, status: &'static str) -> Self {
        Self {
            sale_id: sale.id,
            product_id: product.id,
            sku_id: product.sku.clone(),
            status,
            flash_price: Decimal(sale.price),
            currency: sale.price.currency,
            starts_at: Moment(sale.starts_at),
            ends_at: Moment(sale.ends_at),
        }
    }
}
