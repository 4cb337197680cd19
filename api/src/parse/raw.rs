//! The body of a purchase before its values are checked, read in either of two ways.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::Value;

use super::fields::Fields;

/// The fields of a purchase, of the right types.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawPurchase<'a> {
    pub(super) product_id: Option<i64>,
    #[serde(borrow)]
    pub(super) sku: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) sku_id: Option<Text<'a>>,
    pub(super) flash_sale_id: Option<i64>,
    pub(super) quantity: Option<i64>,
    #[serde(borrow)]
    pub(super) user_id: Option<User<'a>>,
}

impl<'a> RawPurchase<'a> {
    /// The typed parse; `None` where anything at all is wrong.
    pub(super) fn fast(body: &'a str) -> Option<Self> {
        // Serde would take an array for a struct, by position.
        let object = body.trim_ascii_start().starts_with('{');
        object.then(|| serde_json::from_str(body).ok()).flatten()
    }
}

impl RawPurchase<'static> {
    /// The same, field by field, noting what is wrong.
    pub(super) fn slow(fields: &mut Fields, quantity_max: u32) -> Self {
        let named = Self::product(fields);
        Self {
            flash_sale_id: positive(fields, "flashSaleId"),
            quantity: fields.integer("quantity", 1..=i64::from(quantity_max)),
            user_id: user_id(fields),
            ..named
        }
    }

    /// What names the product.
    pub(super) fn product(fields: &mut Fields) -> Self {
        Self {
            product_id: positive(fields, "productId"),
            sku: sku(fields, "sku"),
            sku_id: sku(fields, "skuId"),
            ..Self::default()
        }
    }
}

fn positive(fields: &mut Fields, name: &'static str) -> Option<i64> {
    match fields.value(name)?.as_i64() {
        Some(number) => Some(number),
        None => fields.wrong(name, "must be a positive integer"),
    }
}

fn sku(fields: &mut Fields, name: &'static str) -> Option<Text<'static>> {
    match fields.value(name)? {
        Value::String(text) => Some(Text(text.into())),
        _ => fields.wrong(name, "must be a string"),
    }
}

/// The user, who may be named by a string or an integer.
pub(super) fn user_id(fields: &mut Fields) -> Option<User<'static>> {
    match fields.value("userId")? {
        Value::String(text) => Some(User(text.into())),
        Value::Number(number) if !number.is_f64() => Some(User(number.to_string().into())),
        _ => fields.wrong("userId", "must be a string or an integer"),
    }
}

/// A string that borrows from the body where it has no escapes.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// A string as [`Text`], or an integer as its digits.
#[derive(Debug)]
pub(super) struct User<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Name { integers: false }).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for User<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Name { integers: true }).map(Self)
    }
}

struct Name {
    integers: bool,
}

impl Name {
    fn integer<E: Error>(&self, digits: impl fmt::Display) -> Result<Cow<'static, str>, E> {
        if self.integers { Ok(digits.to_string().into()) } else { Err(E::custom("not a string")) }
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.integer(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.integer(number)
    }
}
