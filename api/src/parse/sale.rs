//! What operators send about sales.

use serde_json::Value;
use shared::domain::room::RoomRules;
use shared::domain::{Currency, Phase, Product, ProductRef, Sale, Timestamp};
use shared::ports::{NewSale, SaleChange};

use super::Fields;
use super::product::{UNITS_MAX, per_user_limit, price};
use super::purchase;
use super::raw::{RawPurchase, Text};
use crate::problem::Faults;

/// Where a sale with a waiting room names no limit per user, this is it: a place in line is for one.
const LIMIT_BEHIND_A_ROOM: u32 = 1;
/// Longest hold that a sale may give, in seconds: a day.
const HOLD_SECONDS_MAX: i64 = 86_400;

/// A new sale, whose price can only be read once its product's currency is known.
#[derive(Debug)]
pub struct NewSaleForm {
    fields: Fields,
    /// What it would sell; none where that is a fault.
    pub product: Option<ProductRef>,
}

impl NewSaleForm {
    /// Reads the object and which product it names; [`NewSaleForm::check`] checks the rest.
    pub fn read(body: &str) -> Result<Self, Faults> {
        let mut fields = Fields::read(body)?;
        let raw = RawPurchase {
            product_id: product_id(&mut fields),
            sku: fields.text("sku", usize::MAX).map(|sku| Text(sku.into())),
            sku_id: fields.text("skuId", usize::MAX).map(|sku| Text(sku.into())),
            ..RawPurchase::default()
        };
        let product = purchase::product(&raw, fields.faults());
        Ok(Self { fields, product })
    }

    /// The sale of `product` (as found under the name given), planned at `now`.
    pub fn check(self, product: Option<&Product>, now: Timestamp) -> Result<NewSale, Faults> {
        let mut fields = self.fields;
        let price = price(&mut fields, "flashPrice", product.map(|found| found.price.currency));
        let quantity = count(&mut fields, "quantity", UNITS_MAX).flatten();
        let (starts_at, ends_at) = times(&mut fields, Some(now));
        let per_user_limit = per_user_limit(&mut fields).flatten();
        let hold_seconds = hold_seconds(&mut fields).flatten();
        let waiting_room = waiting_room(&mut fields).flatten();
        let per_user_limit = per_user_limit.or(waiting_room.map(|_| LIMIT_BEHIND_A_ROOM));
        for required in ["flashPrice", "startsAt", "endsAt"] {
            if fields.value(required).is_none() {
                fields.faults().note_missing(required);
            }
        }
        let sale = (|| {
            Some(NewSale {
                product: ProductRef::Id(product?.id),
                price_minor: price?.minor,
                starts_at: starts_at?,
                ends_at: ends_at?,
                per_user_limit,
                hold_seconds,
                quantity,
                waiting_room,
            })
        })();
        fields.finish(sale)
    }
}

/// A change to a sale whose price can only be read once its currency is known.
#[derive(Debug)]
pub struct SaleChangeForm(Fields);

impl SaleChangeForm {
    /// Reads the object; its fields are checked by [`SaleChangeForm::check`].
    pub fn read(body: &str) -> Result<Self, Faults> {
        Fields::read(body).map(Self)
    }

    /// The change of `sale` at `now`.
    pub fn check(self, sale: &Sale, now: Timestamp) -> Result<SaleChange, Faults> {
        const KNOWN: [&str; 7] = [
            "flashPrice",
            "quantity",
            "startsAt",
            "endsAt",
            "perUserLimit",
            "holdSeconds",
            "waitingRoom",
        ];
        let mut fields = self.0;
        if !KNOWN.iter().any(|name| fields.has(name)) {
            fields.faults().note("body", format!("must change one of {}", KNOWN.join(", ")));
        }
        for name in ["productId", "sku", "skuId"] {
            if fields.has(name) {
                fields.faults().note(name, "cannot be changed: plan another sale");
            }
        }
        for name in ["flashPrice", "startsAt", "endsAt"] {
            if fields.has(name) && fields.value(name).is_none() {
                fields.faults().note(name, "must not be null");
            }
        }
        let currency: Currency = sale.price.currency;
        // Of a sale that is over the ledger says so, whatever its new end.
        let open = matches!(sale.phase(now), Phase::Upcoming | Phase::Live);
        let (starts_at, ends_at) = times(&mut fields, open.then_some(now));
        let waiting_room = waiting_room(&mut fields);
        let mut per_user_limit = per_user_limit(&mut fields);
        if waiting_room.unwrap_or(sale.waiting_room).is_some() {
            match per_user_limit {
                Some(None) => {
                    fields.faults().note("perUserLimit", "is needed with a waiting room");
                }
                None if sale.per_user_limit.is_none() => {
                    per_user_limit = Some(Some(LIMIT_BEHIND_A_ROOM));
                }
                Some(Some(_)) | None => {}
            }
        }
        let change = SaleChange {
            price_minor: price(&mut fields, "flashPrice", Some(currency)).map(|price| price.minor),
            starts_at,
            ends_at,
            per_user_limit,
            hold_seconds: hold_seconds(&mut fields),
            quantity: count(&mut fields, "quantity", UNITS_MAX),
            waiting_room,
        };
        fields.finish(Some(change))
    }
}

fn product_id(fields: &mut Fields) -> Option<i64> {
    match fields.value("productId")?.as_i64() {
        Some(number) => Some(number),
        None => fields.wrong("productId", "must be a positive integer"),
    }
}

/// Start and end as far as they are given. An end before `now` would refuse what was accepted
/// already; of one without a start the ledger knows whether it comes before it.
fn times(fields: &mut Fields, now: Option<Timestamp>) -> (Option<Timestamp>, Option<Timestamp>) {
    let starts_at = moment(fields, "startsAt");
    let ends_at = moment(fields, "endsAt");
    if starts_at.zip(ends_at).is_some_and(|(starts_at, ends_at)| ends_at <= starts_at) {
        fields.faults().note("endsAt", "must be later than startsAt");
    } else if ends_at.zip(now).is_some_and(|(ends_at, now)| ends_at <= now) {
        fields.faults().note("endsAt", "must be in the future");
    }
    (starts_at, ends_at)
}

fn moment(fields: &mut Fields, name: &'static str) -> Option<Timestamp> {
    match fields.value(name)?.as_str().and_then(Timestamp::parse) {
        Some(at) => Some(at),
        None => fields.wrong(name, "must be an RFC 3339 time such as \"2030-01-31T12:00:00Z\""),
    }
}

/// `Some(None)` where the field is null: none of it.
#[allow(clippy::option_option)] // Not given, given as null, given: three different wishes.
fn count(fields: &mut Fields, name: &'static str, max: i64) -> Option<Option<i64>> {
    if fields.has(name) && fields.value(name).is_none() && !fields.faults().of(name) {
        return Some(None);
    }
    fields.integer(name, 1..=max).map(Some)
}

#[allow(clippy::option_option)] // As above.
fn hold_seconds(fields: &mut Fields) -> Option<Option<u32>> {
    let seconds = count(fields, "holdSeconds", HOLD_SECONDS_MAX)?;
    Some(seconds.map(|seconds| seconds as u32))
}

/// Whether and how people wait: an object, whose `enabled` is true where it is left out.
#[allow(clippy::option_option)] // As above.
fn waiting_room(fields: &mut Fields) -> Option<Option<RoomRules>> {
    if !fields.has("waitingRoom") {
        return None;
    }
    let room = match fields.value("waitingRoom") {
        None => return Some(None),
        Some(Value::Object(room)) => room.clone(),
        Some(_) => return fields.wrong("waitingRoom", "must be an object"),
    };
    match room.get("enabled") {
        None | Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Some(None),
        Some(_) => return fields.wrong("waitingRoom", "enabled must be true or false"),
    }
    let mut rules = RoomRules::default();
    for (name, range, rule) in [
        ("admitPerSecond", 1..=100_000, &mut rules.admit_per_second),
        ("maxInside", 1..=1_000_000, &mut rules.max_inside),
        ("passSeconds", 1..=3_600, &mut rules.pass_seconds),
        ("patienceSeconds", 5..=3_600, &mut rules.patience_seconds),
        ("preQueueSeconds", 0..=86_400, &mut rules.pre_queue_seconds),
    ] {
        let Some(value) = room.get(name).filter(|value| !value.is_null()) else { continue };
        let number = value.as_u64().and_then(|value| u32::try_from(value).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => *rule = number,
            None => {
                let (from, to) = range.into_inner();
                let fault = format!("must be a whole number from {from} to {to}");
                fields.faults().note(format!("waitingRoom.{name}"), fault);
            }
        }
    }
    Some(Some(rules))
}

#[cfg(test)]
mod tests {
    use shared::domain::testing::{product, sale};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn new(body: &str) -> Result<NewSale, Faults> {
        NewSaleForm::read(body)?.check(Some(&product(1)), NOW)
    }

    fn change(body: &str) -> Result<SaleChange, Faults> {
        let open = sale(7, 1, NOW.millis() - 1, NOW.millis() + 1);
        SaleChangeForm::read(body)?.check(&open, NOW)
    }

    fn fields<T: std::fmt::Debug>(outcome: Result<T, Faults>) -> Vec<String> {
        outcome.unwrap_err().all().iter().map(|fault| fault.field.to_string()).collect()
    }

    #[test]
    fn a_sale_needs_a_product_a_price_and_its_times() {
        let body = r#"{"sku":"A","flashPrice":"1.5","startsAt":"2030-01-01T02:00:00+02:00",
            "endsAt":"2030-01-01T00:00:00.001Z","waitingRoom":{"any":1}}"#;
        let new_sale = new(body).unwrap();
        assert_eq!((new_sale.price_minor, new_sale.quantity), (150, None));
        assert_eq!(new_sale.ends_at.millis() - new_sale.starts_at.millis(), 1);
        assert_eq!(fields(new("{}")), ["productId", "flashPrice", "startsAt", "endsAt"]);
    }

    #[test]
    fn wrong_values_of_a_sale_are_all_named() {
        let body = r#"{"productId":0,"flashPrice":"-1","quantity":0,"startsAt":"tomorrow",
            "endsAt":1700000000,"perUserLimit":"2","holdSeconds":86401,"waitingRoom":true}"#;
        let expected = [
            "productId",
            "flashPrice",
            "quantity",
            "startsAt",
            "endsAt",
            "perUserLimit",
            "holdSeconds",
            "waitingRoom",
        ];
        assert_eq!(fields(new(body)), expected);
    }

    #[test]
    fn a_sale_ends_after_it_starts_and_in_the_future() {
        let times = |starts: &str, ends: &str| {
            let body = format!(
                r#"{{"productId":1,"flashPrice":"1","startsAt":"{starts}","endsAt":"{ends}"}}"#
            );
            new(&body)
        };
        assert!(times("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z").is_ok());
        for (starts, ends) in [
            ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
            ("2030-01-01T00:00:00Z", "2029-01-01T00:00:00Z"),
            ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
        ] {
            assert_eq!(fields(times(starts, ends)), ["endsAt"], "{starts} {ends}");
        }
    }

    #[test]
    fn a_change_changes_something_and_never_the_product() {
        assert_eq!(change(r#"{"flashPrice":"5"}"#).unwrap().price_minor, Some(500));
        let lifted = r#"{"quantity":null,"perUserLimit":null,"holdSeconds":null}"#;
        let lifted = change(lifted).unwrap();
        assert_eq!(lifted.quantity, Some(None));
        assert_eq!((lifted.per_user_limit, lifted.hold_seconds), (Some(None), Some(None)));
        let twice = r#"{"quantity":null,"quantity":1}"#;
        assert_eq!(fields(change(twice)), ["quantity"]);
        assert_eq!(fields(change(r#"{"colour":1}"#)), ["body"]);
        assert_eq!(fields(change(r#"{"productId":2,"quantity":1}"#)), ["productId"]);
        let nulls = r#"{"flashPrice":null,"startsAt":null,"endsAt":null}"#;
        assert_eq!(fields(change(nulls)), ["flashPrice", "startsAt", "endsAt"]);
        assert_eq!(fields(change(r#"{"endsAt":"2020-01-01T00:00:00Z"}"#)), ["endsAt"]);
    }
}
