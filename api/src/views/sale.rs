//! Sales as clients are shown them.

use serde::Serialize;
use shared::domain::room::RoomRules;
use shared::domain::{Currency, Phase, Product, ProductId, Sale, SaleId, Sku, Timestamp};
use utoipa::ToSchema;

use super::product::discount;
use super::schema;
use super::text::{Decimal, Moment};

/// A sale of one product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaleView {
    /// Its number.
    #[schema(value_type = i64, minimum = 1, example = 7)]
    id: SaleId,
    /// The same number, as other bodies name it.
    #[schema(value_type = i64, minimum = 1, example = 7)]
    flash_sale_id: SaleId,
    /// What it sells, by number.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    product_id: ProductId,
    /// What it sells, by the shop's own name.
    #[schema(value_type = String, example = "PHONE-15-PRO")]
    sku: Sku,
    /// What it sells, by the name that is shown.
    #[schema(example = "Phone 15 Pro")]
    name: String,
    /// What a unit costs in it.
    #[schema(value_type = String, example = "499.99")]
    flash_price: Decimal,
    /// What a unit costs outside sales.
    #[schema(value_type = String, example = "999.99")]
    base_price: Decimal,
    /// How much less that is, in percent of the base price.
    #[schema(minimum = 0, maximum = 100, example = 50.0)]
    discount_percentage: f64,
    /// ISO 4217.
    #[schema(value_type = String, example = "USD")]
    currency: Currency,
    /// Units it may sell; null means all there are.
    #[schema(minimum = 1, example = 100)]
    quantity: Option<i64>,
    /// Units it has sold and holds; counted only where there is a quantity.
    #[schema(minimum = 0, example = 1)]
    taken: Option<i64>,
    /// Units of its quantity that are left.
    #[schema(minimum = 0, example = 99)]
    remaining: Option<i64>,
    /// It opens at this moment.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    starts_at: Moment,
    /// It closes just before this moment.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    ends_at: Moment,
    /// Where it stands.
    #[schema(schema_with = schema::phase)]
    status: &'static str,
    /// Units one user may buy in it; null means no limit.
    #[schema(minimum = 1, example = 1)]
    per_user_limit: Option<u32>,
    /// Length of a hold; null means the configured one.
    #[schema(minimum = 1, example = 600)]
    hold_seconds: Option<u32>,
    /// How people wait in line for it; null means that nobody does.
    #[schema(value_type = Option<WaitingRoomView>)]
    waiting_room: Option<RoomRules>,
    /// When that was so, by the clock that opens and closes sales.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    server_time: Moment,
}

impl SaleView {
    /// `sale` of `product` at `now`.
    pub fn new(sale: &Sale, product: &Product, now: Timestamp) -> Self {
        Self {
            id: sale.id,
            flash_sale_id: sale.id,
            product_id: product.id,
            sku: product.sku.clone(),
            name: product.name.clone(),
            flash_price: Decimal(sale.price),
            base_price: Decimal(product.price),
            discount_percentage: discount(product.price, sale.price),
            currency: sale.price.currency,
            quantity: sale.quantity,
            taken: sale.quantity.map(|_| sale.taken),
            remaining: sale.quantity.map(|quantity| quantity - sale.taken),
            starts_at: Moment(sale.starts_at),
            ends_at: Moment(sale.ends_at),
            status: Phase::as_str(sale.phase(now)),
            per_user_limit: sale.per_user_limit,
            hold_seconds: sale.hold_seconds,
            waiting_room: sale.waiting_room,
            server_time: Moment(now),
        }
    }
}

/// How people wait in line for a sale and are let in.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // The rules of the domain are written as they are.
pub(super) struct WaitingRoomView {
    /// Shoppers let in per second, at most.
    #[schema(minimum = 1, example = 100)]
    admit_per_second: u32,
    /// Shoppers inside at once, at most.
    #[schema(minimum = 1, example = 1_000)]
    max_inside: u32,
    /// How long a shopper who was let in may buy.
    #[schema(minimum = 1, example = 120)]
    pass_seconds: u32,
    /// Who is not heard of for so long loses the place.
    #[schema(minimum = 5, example = 45)]
    patience_seconds: u32,
    /// How long before the sale people may join.
    #[schema(minimum = 0, example = 600)]
    pre_queue_seconds: u32,
}

/// A page of sales, by number.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaleList {
    /// The sales.
    pub flash_sales: Vec<SaleView>,
    /// `after` of the next page; null on the last.
    #[schema(value_type = Option<i64>, example = 50)]
    pub next: Option<SaleId>,
}
