//! Request bodies as the OpenAPI document describes them. They are read by hand, so that every fault
//! can be listed.
#![allow(dead_code)]

use serde_json::Value;
use utoipa::ToSchema;

/// What to buy, how many of it, for whom. Exactly one of `productId`, `sku` (or `skuId`) and
/// `flashSaleId` names the product.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct PurchaseBody {
    /// The product by number.
    #[schema(minimum = 1, example = 1)]
    product_id: Option<i64>,
    /// The product by the shop's own name.
    #[schema(max_length = 64, pattern = "^(?!\\d+$)[A-Za-z0-9._-]+$")]
    sku: Option<String>,
    /// Another name of `sku`.
    sku_id: Option<String>,
    /// A sale, which stands for its product.
    #[schema(minimum = 1)]
    flash_sale_id: Option<i64>,
    /// Units, up to the configured maximum.
    #[schema(minimum = 1, maximum = 100, example = 1)]
    quantity: u32,
    /// The buyer: a string, or an integer that stands for its digits.
    #[schema(value_type = String, max_length = 128, example = "u-1")]
    user_id: Value,
}

/// A wish to join the line of a sale, or of the sale of a product that is open or opens next: exactly one
/// of `flashSaleId`, `productId` and `sku` (or `skuId`).
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct JoinBody {
    /// The sale.
    #[schema(minimum = 1, example = 7)]
    flash_sale_id: Option<i64>,
    /// The product by number.
    #[schema(minimum = 1)]
    product_id: Option<i64>,
    /// The product by the shop's own name.
    #[schema(max_length = 64, pattern = "^(?!\\d+$)[A-Za-z0-9._-]+$")]
    sku: Option<String>,
    /// Another name of `sku`.
    sku_id: Option<String>,
    /// A string, or an integer that stands for its digits; needed where neither a token nor `X-User-Id`
    /// names the user.
    #[schema(value_type = Option<String>, max_length = 128, example = "u-1")]
    user_id: Option<Value>,
}

/// How a hold is paid.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CheckoutBody {
    /// The hold.
    reservation_id: uuid::Uuid,
    /// The payment provider's transaction. With the simulated provider its beginning says how it
    /// ends: `decline`, `slow`, `never`, `error`, else approved.
    #[schema(max_length = 255, example = "t-1")]
    payment_transaction_id: String,
    /// The means of payment, as the shop calls it.
    #[schema(max_length = 50, example = "card")]
    payment_method: Option<String>,
    /// Where to ship: any object or text.
    shipping_address: Option<Value>,
}

/// What a payment provider tells. Other types are answered with success and left alone.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct WebhookBody {
    /// `payment.succeeded` or `payment.failed`.
    #[schema(example = "payment.succeeded")]
    r#type: String,
    /// The order.
    order_id: uuid::Uuid,
    /// The payment provider's transaction.
    #[schema(max_length = 255, example = "t-1")]
    payment_transaction_id: String,
}

/// The buyer, where neither a token nor `X-User-Id` names them.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct BuyBody {
    /// A string, or an integer that stands for its digits.
    #[schema(value_type = String, max_length = 128, example = "u-1")]
    user_id: Value,
}

/// Tracking IDs, 500 at most.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct TrackingIdsBody {
    /// The IDs.
    #[schema(max_items = 500)]
    tracking_ids: Vec<uuid::Uuid>,
}

/// A new product with its first stock.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewProductBody {
    /// The shop's own name of it; never all digits.
    #[schema(max_length = 64, example = "PHONE-15-PRO")]
    sku: String,
    /// What it is called.
    #[schema(max_length = 200, example = "Phone 15 Pro")]
    name: String,
    /// What it is.
    #[schema(max_length = 4000)]
    description: Option<String>,
    /// Where the shop files it.
    #[schema(max_length = 100, example = "phones")]
    category: Option<String>,
    /// A picture: `https://…`, `http://…` or a path.
    #[schema(max_length = 2000)]
    image_url: Option<String>,
    /// What it costs, as a decimal string.
    #[schema(example = "999.99")]
    base_price: String,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    /// Units there are.
    #[schema(minimum = 0, maximum = 1_000_000_000, example = 100)]
    total_inventory: i64,
    /// Units one user may buy outside sales; null or left out means no limit.
    #[schema(minimum = 1, example = 2)]
    per_user_limit: Option<u32>,
}

/// Changes to a product. What is left out stays as it is; something must be given.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ProductChangeBody {
    /// What it is called.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// What it is.
    #[schema(max_length = 4000)]
    description: Option<String>,
    /// What it costs, as a decimal string of its currency; `price` is read as the same.
    #[schema(example = "899.99")]
    base_price: Option<String>,
    /// False: nothing of it is sold.
    active: Option<bool>,
    /// Units one user may buy outside sales; null removes the limit.
    #[schema(minimum = 1)]
    per_user_limit: Option<u32>,
}

/// Units to add; negative withdraws unsold ones.
#[derive(ToSchema)]
pub struct RestockBody {
    /// Not 0.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000, example = 50)]
    quantity: i64,
}

/// Dead letters to be dealt with: exactly one of `ids` and `all`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct LettersBody {
    /// Numbers of letters, or IDs of their orders; at most 500.
    #[schema(value_type = Option<Vec<Object>>)]
    ids: Option<Vec<serde_json::Value>>,
    /// All that wait.
    all: Option<bool>,
    /// Only letters with greater numbers: `next` of the answer before.
    #[schema(minimum = 0)]
    after: Option<i64>,
    /// Letters replayed per second, at most; 50 where it is left out.
    #[schema(minimum = 1, maximum = 1000)]
    rate: Option<u32>,
}

/// A name and a password.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CredentialsBody {
    /// Who.
    #[schema(min_length = 1, max_length = 128, example = "zoe")]
    user_id: String,
    /// Any characters but control characters.
    #[schema(min_length = 8, max_length = 128, format = Password, example = "correct horse battery")]
    password: String,
}

/// What a login or a refresh gave out.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RefreshBody {
    /// The last one that was given out.
    #[schema(min_length = 1, max_length = 128)]
    refresh_token: String,
}
