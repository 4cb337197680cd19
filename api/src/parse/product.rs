//! What operators send about products.

use std::collections::HashSet;

use serde_json::Value;
use shared::domain::{Currency, Money, Product, Sku};
use shared::ports::{NewProduct, ProductChange};

use super::Fields;
use crate::problem::Faults;

/// Units of one product at most, so that no sum of them can overflow.
pub(super) const UNITS_MAX: i64 = 1_000_000_000;
const NAME_BYTES_MAX: usize = 200;
const DESCRIPTION_BYTES_MAX: usize = 4_000;
const CATEGORY_BYTES_MAX: usize = 100;
const IMAGE_URL_BYTES_MAX: usize = 2_000;

/// Reads a new product.
pub fn new_product(body: &str) -> Result<NewProduct, Faults> {
    let mut fields = Fields::read(body)?;
    let sku = fields
        .text("sku", usize::MAX)
        .and_then(|text| parsed(&mut fields, "sku", Sku::parse(text)));
    let name = name(&mut fields);
    let description = fields.text("description", DESCRIPTION_BYTES_MAX);
    let category = fields.text("category", CATEGORY_BYTES_MAX);
    let image_url = image_url(&mut fields);
    let currency = fields
        .text("currency", usize::MAX)
        .and_then(|text| parsed(&mut fields, "currency", Currency::parse(&text)));
    let price = price(&mut fields, "basePrice", currency);
    let per_user_limit = per_user_limit(&mut fields).flatten();
    let total = fields.integer("totalInventory", 0..=UNITS_MAX);
    for required in ["sku", "name", "basePrice", "currency", "totalInventory"] {
        if fields.value(required).is_none() {
            fields.faults().note_missing(required);
        }
    }
    let product = (|| {
        Some(NewProduct {
            sku: sku?,
            name: name?,
            description: description.unwrap_or_default(),
            category: category.unwrap_or_default(),
            image_url,
            price: price?,
            per_user_limit,
            total: total?,
        })
    })();
    fields.finish(product)
}

/// A change to a product whose price can only be read once its currency is known.
#[derive(Debug)]
pub struct ChangeForm(Fields);

impl ChangeForm {
    /// Reads the object; its fields are checked by [`ChangeForm::check`].
    pub fn read(body: &str) -> Result<Self, Faults> {
        Fields::read(body).map(Self)
    }

    /// The change for `product`.
    pub fn check(self, product: &Product) -> Result<ProductChange, Faults> {
        const KNOWN: [&str; 6] =
            ["name", "description", "basePrice", "price", "active", "perUserLimit"];
        let mut fields = self.0;
        let given: HashSet<_> = KNOWN.iter().filter(|name| fields.has(name)).collect();
        if given.is_empty() {
            fields.faults().note("body", format!("must change one of {}", KNOWN.join(", ")));
        }
        if given.contains(&"price") && given.contains(&"basePrice") {
            fields.faults().note("price", "is another name of basePrice: give one of them");
        }
        for name in ["name", "description", "basePrice", "price", "active"] {
            if fields.has(name) && fields.value(name).is_none() {
                fields.faults().note(name, "must not be null");
            }
        }
        let currency = product.price.currency;
        if fields.value("currency").is_some_and(|given| given != currency.code()) {
            fields.faults().note("currency", format!("cannot be changed from {currency}"));
        }
        let base_price = price(&mut fields, "basePrice", Some(currency));
        let short_price = price(&mut fields, "price", Some(currency));
        let change = ProductChange {
            name: name(&mut fields),
            description: fields.text("description", DESCRIPTION_BYTES_MAX),
            price_minor: base_price.or(short_price).map(|price| price.minor),
            active: fields.flag("active"),
            per_user_limit: per_user_limit(&mut fields),
        };
        fields.finish(Some(change))
    }
}

/// Reads a restock: units to add, or to withdraw where negative.
pub fn restock(body: &str) -> Result<i64, Faults> {
    let mut fields = Fields::read(body)?;
    let quantity = fields.integer("quantity", -UNITS_MAX..=UNITS_MAX);
    if quantity == Some(0) {
        fields.faults().note("quantity", "must not be 0");
    }
    if quantity.is_none() {
        fields.faults().note_missing("quantity");
    }
    fields.finish(quantity)
}

fn name(fields: &mut Fields) -> Option<String> {
    match fields.text("name", NAME_BYTES_MAX)? {
        name if name.trim().is_empty() => fields.wrong("name", "must not be empty"),
        name => Some(name),
    }
}

fn image_url(fields: &mut Fields) -> Option<String> {
    let url = fields.text("imageUrl", IMAGE_URL_BYTES_MAX)?;
    // A page will show it: nothing but a picture's address may come out of this field.
    let scheme = ["https://", "http://", "/"].iter().any(|start| url.starts_with(start));
    if scheme {
        return Some(url);
    }
    fields.wrong("imageUrl", "must begin with https://, http:// or /")
}

pub(super) fn price(
    fields: &mut Fields,
    name: &'static str,
    currency: Option<Currency>,
) -> Option<Money> {
    let Value::String(text) = fields.value(name)? else {
        return fields.wrong(name, "must be a decimal string such as \"19.99\"");
    };
    // Without a currency the decimals cannot be judged, and the currency is the fault.
    parsed(fields, name, Money::parse(&text, currency.unwrap_or(Currency::USD)))
}

/// `Some(None)` where the field is null: no limit.
#[allow(clippy::option_option)] // Not given, given as null, given: three different wishes.
pub(super) fn per_user_limit(fields: &mut Fields) -> Option<Option<u32>> {
    if fields.has("perUserLimit") && fields.value("perUserLimit").is_none() {
        return Some(None);
    }
    fields.integer("perUserLimit", 1..=UNITS_MAX).map(|limit| Some(limit as u32))
}

pub(super) fn parsed<T, E: std::fmt::Display>(
    fields: &mut Fields,
    name: &'static str,
    result: Result<T, E>,
) -> Option<T> {
    result.map_err(|error| fields.faults().note(name, error.to_string())).ok()
}

#[cfg(test)]
mod tests {
    use shared::domain::testing::product;

    use super::*;

    fn change(body: &str) -> Result<ProductChange, Faults> {
        ChangeForm::read(body)?.check(&product(1))
    }

    #[test]
    fn a_product_needs_a_name_a_price_and_a_stock() {
        let body =
            r#"{"sku":"A-1","name":"Lamp","basePrice":"19.9","currency":"USD","totalInventory":5}"#;
        let new = new_product(body).unwrap();
        assert_eq!((new.price.minor, new.total, new.per_user_limit), (1_990, 5, None));
        let faults = new_product("{}").unwrap_err();
        let fields: Vec<_> = faults.all().iter().map(|fault| &*fault.field).collect();
        assert_eq!(fields, ["sku", "name", "basePrice", "currency", "totalInventory"]);
    }

    #[test]
    fn wrong_values_of_a_product_are_all_named() {
        let body = r#"{"sku":"1","name":" ","description":"a\u0000","category":7,
            "imageUrl":"javascript:x","basePrice":19.99,"currency":"usd","totalInventory":-1,
            "perUserLimit":0}"#;
        let faults = new_product(body).unwrap_err();
        for field in ["sku", "name", "description", "category", "imageUrl", "basePrice", "currency"]
        {
            assert!(faults.of(field), "{field}");
        }
        assert!(faults.of("totalInventory") && faults.of("perUserLimit"));
        assert_eq!(faults.all().len(), 9);
    }

    #[test]
    fn a_change_changes_something() {
        assert_eq!(change(r#"{"price":"5.00"}"#).unwrap().price_minor, Some(500));
        assert_eq!(change(r#"{"perUserLimit":null}"#).unwrap().per_user_limit, Some(None));
        assert!(change(r#"{"other":1}"#).unwrap_err().of("body"));
        assert!(change(r#"{"active":null}"#).unwrap_err().of("active"));
        assert!(change(r#"{"price":"5","basePrice":"5"}"#).unwrap_err().of("price"));
        assert!(change(r#"{"active":true,"currency":"EUR"}"#).unwrap_err().of("currency"));
    }

    #[test]
    fn a_restock_adds_or_withdraws() {
        assert_eq!(restock(r#"{"quantity":-3}"#), Ok(-3));
        for body in ["{}", r#"{"quantity":0}"#, r#"{"quantity":"1"}"#] {
            assert!(restock(body).unwrap_err().of("quantity"), "{body}");
        }
    }
}
