//! Products and their stock as clients are shown them.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::domain::{
    Catalogue, Currency, Money, Offer, Product, ProductId, Sku, StockLevel, Timestamp,
};
use utoipa::ToSchema;

use super::json::Object;
use super::text::{Decimal, Moment};
use crate::levels::Seen;

/// Room for the body of a product with a name and a short description.
const BYTES_USUAL: usize = 768;

/// What can be had of a product right now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Availability {
    /// Its number.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    product_id: ProductId,
    /// The shop's own name of it.
    #[schema(value_type = String, example = "PHONE-15-PRO")]
    sku_id: Sku,
    /// What it is called.
    #[schema(example = "Phone 15 Pro")]
    name: String,
    /// What it is.
    description: String,
    /// Where the shop files it.
    #[schema(example = "phones")]
    category: String,
    /// What it costs outside sales.
    #[schema(value_type = String, example = "999.99")]
    base_price: Decimal,
    /// What it costs in the sale that is open; null outside sales.
    #[schema(value_type = Option<String>, example = "499.99")]
    flash_sale_price: Option<Decimal>,
    /// How much less that is, in percent of the base price; null outside sales.
    #[schema(minimum = 0, maximum = 100, example = 50.0)]
    discount_percentage: Option<f64>,
    /// ISO 4217.
    #[schema(value_type = String, example = "USD")]
    currency: Currency,
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
    /// A purchase of one unit would be accepted now.
    is_available: bool,
    /// False: nothing of it is sold.
    is_active: bool,
    /// A picture.
    image_url: Option<String>,
    /// Rises with every change of stock; drop what is not newer.
    #[schema(minimum = 1, example = 2)]
    version: i64,
    /// When these counts were last known to hold.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    as_of: Moment,
}

impl Availability {
    /// What can be had of `product` at `now`.
    pub fn new(catalogue: &Catalogue, product: &Product, seen: Seen, now: Timestamp) -> Self {
        let counts = seen.level.counts;
        let offer = catalogue.offer(product, now);
        let sale = offer.as_ref().ok().and_then(|offer| offer.sale);
        Self {
            product_id: product.id,
            sku_id: product.sku.clone(),
            name: product.name.clone(),
            description: product.description.clone(),
            category: product.category.clone(),
            base_price: Decimal(product.price),
            flash_sale_price: sale.map(|sale| Decimal(sale.price)),
            discount_percentage: sale.map(|sale| discount(product.price, sale.price)),
            currency: product.price.currency,
            available_count: counts.available(),
            reserved_count: counts.reserved,
            sold_count: counts.sold,
            total_inventory: counts.total,
            is_available: is_available(offer.as_ref().ok(), &seen.level),
            is_active: product.active,
            image_url: product.image_url.clone(),
            version: seen.level.version,
            as_of: Moment(seen.as_of),
        }
    }
}

impl Availability {
    /// The body as serde would write it.
    pub fn to_json(&self) -> Vec<u8> {
        Object::of(BYTES_USUAL)
            .integer("productId", self.product_id.0)
            .word("skuId", self.sku_id.as_str())
            .text("name", &self.name)
            .text("description", &self.description)
            .text("category", &self.category)
            .plain("basePrice", self.base_price.0)
            .value("flashSalePrice", &self.flash_sale_price)
            .value("discountPercentage", &self.discount_percentage)
            .word("currency", self.currency.code())
            .integer("availableCount", self.available_count)
            .integer("reservedCount", self.reserved_count)
            .integer("soldCount", self.sold_count)
            .integer("totalInventory", self.total_inventory)
            .flag("isAvailable", self.is_available)
            .flag("isActive", self.is_active)
            .value("imageUrl", &self.image_url)
            .integer("version", self.version)
            .plain("asOf", self.as_of.0)
            .end()
    }
}

impl IntoResponse for Availability {
    fn into_response(self) -> Response {
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        ([json], self.to_json()).into_response()
    }
}

/// Whether a purchase of one unit under `offer`, if there is one, would be accepted.
pub(super) fn is_available(offer: Option<&Offer<'_>>, level: &StockLevel) -> bool {
    let Some(offer) = offer else { return false };
    let of_sale = level.sale.filter(|left| offer.sale.is_some_and(|sale| sale.id == left.sale_id));
    level.counts.available().min(of_sale.map_or(i64::MAX, |left| left.sale_left)) > 0
}

/// Percent of the base price, to two decimals; 0 where it is no less.
pub(super) fn discount(base: Money, sale: Money) -> f64 {
    if base.minor == 0 {
        return 0.0;
    }
    let basis_points = (base.minor - sale.minor).max(0) * 10_000 / base.minor;
    basis_points as f64 / 100.0
}

/// A product and what can be had of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductView {
    /// Its number.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    product_id: ProductId,
    /// The shop's own name of it.
    #[schema(value_type = String, example = "PHONE-15-PRO")]
    sku: Sku,
    /// What it is called.
    #[schema(example = "Phone 15 Pro")]
    name: String,
    /// What it is.
    description: String,
    /// Where the shop files it.
    #[schema(example = "phones")]
    category: String,
    /// A picture.
    image_url: Option<String>,
    /// What it costs outside sales.
    #[schema(value_type = String, example = "999.99")]
    base_price: Decimal,
    /// ISO 4217.
    #[schema(value_type = String, example = "USD")]
    currency: Currency,
    /// Units one user may buy outside sales; null means no limit.
    #[schema(minimum = 1, example = 2)]
    per_user_limit: Option<u32>,
    /// False: nothing of it is sold.
    active: bool,
    /// What can be had of it right now.
    availability: Availability,
}

impl ProductView {
    /// `product` and what can be had of it at `now`.
    pub fn new(catalogue: &Catalogue, product: &Product, seen: Seen, now: Timestamp) -> Self {
        Self {
            product_id: product.id,
            sku: product.sku.clone(),
            name: product.name.clone(),
            description: product.description.clone(),
            category: product.category.clone(),
            image_url: product.image_url.clone(),
            base_price: Decimal(product.price),
            currency: product.price.currency,
            per_user_limit: product.per_user_limit,
            active: product.active,
            availability: Availability::new(catalogue, product, seen, now),
        }
    }
}

/// A page of products, by number.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductPage {
    /// The products.
    pub products: Vec<ProductView>,
    /// `after` of the next page; null on the last.
    #[schema(value_type = Option<i64>, example = 50)]
    pub next: Option<ProductId>,
}

/// The stock of a product as one number.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockView {
    /// The product.
    #[schema(value_type = i64, minimum = 1, example = 1)]
    pub product_id: ProductId,
    /// Units that can still be bought.
    #[schema(minimum = 0, example = 99)]
    pub stock: i64,
}

#[cfg(test)]
mod tests {
    use shared::domain::testing::{product, sale};
    use shared::domain::{Counts, StockLevel};

    use super::*;

    fn seen() -> Seen {
        let counts = Counts { total: 10, reserved: 1, sold: 2 };
        let level = StockLevel { product_id: ProductId(1), counts, version: 3, sale: None };
        Seen { level, as_of: Timestamp::from_millis(150) }
    }

    #[test]
    fn the_body_is_what_serde_would_write() {
        let catalogue = Catalogue::new(1, vec![product(1)], vec![sale(7, 1, 100, 200)]);
        let named = Product {
            name: "27\" \\ monitor\n".into(),
            description: "Zoë's \u{7}".into(),
            image_url: Some("https://example.com/\"".into()),
            ..product(1)
        };
        for (product, now) in [(product(1), 150), (product(1), 200), (named, 150)] {
            let now = Timestamp::from_millis(now);
            let availability = Availability::new(&catalogue, &product, seen(), now);
            let written = String::from_utf8(availability.to_json()).unwrap();
            assert_eq!(written, serde_json::to_string(&availability).unwrap());
        }
    }

    #[test]
    fn the_price_of_an_open_sale_is_shown_with_its_discount() {
        let catalogue = Catalogue::new(1, vec![product(1)], vec![sale(7, 1, 100, 200)]);
        let at = |ms| {
            let now = Timestamp::from_millis(ms);
            serde_json::to_value(Availability::new(&catalogue, &product(1), seen(), now)).unwrap()
        };
        let open = at(150);
        assert_eq!(open["flashSalePrice"], "499.99");
        assert_eq!(open["discountPercentage"], 50.0);
        assert_eq!((&open["availableCount"], &open["isAvailable"]), (&7.into(), &true.into()));
        let over = at(200);
        assert!(over["flashSalePrice"].is_null() && over["discountPercentage"].is_null());
        assert_eq!(over["isAvailable"], false);
    }
}
