//! Bodies about sales as the OpenAPI document describes them; see [`super::schema`].
#![allow(dead_code)]

use chrono::{DateTime, Utc};
use utoipa::ToSchema;

/// A sale to be planned. Exactly one of `productId` and `sku` (or `skuId`) names the product.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewSaleBody {
    /// The product by number.
    #[schema(minimum = 1, example = 1)]
    product_id: Option<i64>,
    /// The product by the shop's own name.
    #[schema(max_length = 64, pattern = "^(?!\\d+$)[A-Za-z0-9._-]+$")]
    sku: Option<String>,
    /// Another name of `sku`.
    sku_id: Option<String>,
    /// What a unit costs in it, as a decimal string in the product's currency.
    #[schema(example = "499.99")]
    flash_price: String,
    /// Units it may sell; null or left out means all there are.
    #[schema(minimum = 1, maximum = 1_000_000_000, example = 100)]
    quantity: Option<i64>,
    /// It opens at this moment: RFC 3339 with any offset.
    starts_at: DateTime<Utc>,
    /// It closes just before this moment, which is in the future.
    ends_at: DateTime<Utc>,
    /// Units one user may buy in it; null or left out means no limit.
    #[schema(minimum = 1, example = 1)]
    per_user_limit: Option<u32>,
    /// Length of a hold; null or left out means the configured one.
    #[schema(minimum = 1, maximum = 86_400, example = 600)]
    hold_seconds: Option<u32>,
    /// Reserved.
    #[schema(value_type = Option<Object>)]
    waiting_room: Option<serde_json::Value>,
}

/// Changes to a sale. What is left out stays as it is; something must be given.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SaleChangeBody {
    /// What a unit costs in it, as a decimal string in the product's currency.
    #[schema(example = "449.99")]
    flash_price: Option<String>,
    /// Units it may sell, not fewer than it has; null means all there are.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    quantity: Option<i64>,
    /// It opens at this moment; fixed once it has.
    starts_at: Option<DateTime<Utc>>,
    /// It closes just before this moment, which is in the future.
    ends_at: Option<DateTime<Utc>>,
    /// Units one user may buy in it; null removes the limit.
    #[schema(minimum = 1)]
    per_user_limit: Option<u32>,
    /// Length of a hold; null means the configured one.
    #[schema(minimum = 1, maximum = 86_400)]
    hold_seconds: Option<u32>,
    /// Reserved.
    #[schema(value_type = Option<Object>)]
    waiting_room: Option<serde_json::Value>,
}
