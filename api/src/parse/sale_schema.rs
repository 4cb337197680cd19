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
    /// Whoever wants to buy waits in line first; null means nobody does.
    waiting_room: Option<WaitingRoomBody>,
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
    /// Whoever wants to buy waits in line first; null means nobody does.
    waiting_room: Option<WaitingRoomBody>,
}

/// How people wait in line for a sale and are let in. A sale with a waiting room has a limit per user, 1
/// where none is given, and everybody buys in it once.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct WaitingRoomBody {
    /// False: there is none.
    #[schema(default = true)]
    enabled: Option<bool>,
    /// Shoppers let in per second, at most.
    #[schema(minimum = 1, maximum = 100_000, default = 100)]
    admit_per_second: Option<u32>,
    /// Shoppers inside at once, at most; never more than there are units.
    #[schema(minimum = 1, maximum = 1_000_000, default = 1_000)]
    max_inside: Option<u32>,
    /// How long a shopper who was let in may buy.
    #[schema(minimum = 1, maximum = 3_600, default = 120)]
    pass_seconds: Option<u32>,
    /// Who is not heard of for so long loses the place.
    #[schema(minimum = 5, maximum = 3_600, default = 45)]
    patience_seconds: Option<u32>,
    /// How long before the sale people may join; they are shuffled when it opens. 0: nobody joins before.
    #[schema(minimum = 0, maximum = 86_400, default = 0)]
    pre_queue_seconds: Option<u32>,
}
