//! Products and their stock as clients are shown them.

use serde::Serialize;
use shared::domain::{
    Catalogue, Currency, Money, Offer, Product, ProductId, Sku, StockLevel, Timestamp,
};
use utoipa::ToSchema;

use super::text::{Decimal, Moment};
use crate::levels::Seen;

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
    /// What can be had of `product` while `offer` holds, if any does.
    pub fn new(product: &Product, offer: Option<Offer<'_>>, seen: Seen) -> Self {
        let counts = seen.level.counts;
        let sale = offer.and_then(|offer| offer.sale);
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
            is_available: is_available(offer.as_ref(), &seen.level),
            is_active: product.active,
            image_url: product.image_url.clone(),
            version: seen.level.version,
            as_of: Moment(seen.as_of),
        }
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
            availability: Availability::new(product, catalogue.offer(product, now).ok(), seen),
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
    fn the_price_of_an_open_sale_is_shown_with_its_discount() {
        let catalogue = Catalogue::new(1, vec![product(1)], vec![sale(7, 1, 100, 200)]);
        let at = |ms| {
            let now = Timestamp::from_millis(ms);
            let offer = catalogue.offer(&product(1), now).ok();
            serde_json::to_value(Availability::new(&product(1), offer, seen())).unwrap()
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
