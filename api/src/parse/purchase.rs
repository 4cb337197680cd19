//! The request to buy. A typed parse that borrows from the body goes first; only what it refuses is
//! read a second time, to list every fault.

use axum::extract::{FromRequest, FromRequestParts, Request};
use shared::domain::{ProductId, ProductRef, Quantity, SaleId, Sku, UserId};
use shared::pipeline::admit::{self, Item, Want};
use shared::ports::Clock;

use super::body;
use super::fields::Fields;
use super::headers;
use super::path::ProductPath;
use super::query::Wait;
use super::raw::{RawPurchase, user_id};
use crate::identity::Access;
use crate::problem::{Faults, Problem};
use crate::state::Shared;

/// A purchase as both ways in take it, with its headers.
#[derive(Debug)]
pub struct PurchaseForm {
    /// What is asked for.
    pub request: admit::Request,
    /// How long the client would wait for the outcome.
    pub wait: Wait,
    /// The client would rather have a 202.
    pub respond_async: bool,
}

impl FromRequest<Shared> for PurchaseForm {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let access = Access::from_request_parts(&mut parts, app).await?;
        let wait = Wait::from_request_parts(&mut parts, app).await?;
        let key = headers::idempotency_key(&parts.headers);
        let traceparent = headers::traceparent(&parts.headers);
        let pass = headers::queue_pass(&parts.headers);
        let respond_async = headers::prefers_async(&parts.headers);
        let verdict = app.challenge.verdict(&parts.headers);
        let body = body::read(&parts.headers, body, app, 1).await?;
        let (Named { item, quantity, user_id }, key) =
            both(named(&body, app.quantity_max, access.buys_for_themself()), key)?;
        let user_id = access.buyer(user_id)?.ok_or_else(|| Faults::one("userId", "is missing"))?;
        app.challenge.check(&access, verdict.as_deref(), &user_id, || app.clock.now())?;
        let want = Want::Buy;
        let request = admit::Request { item, quantity, user_id, want, key, pass, traceparent };
        Ok(Self { request, wait, respond_async })
    }
}

/// The short form: one unit of the product in the path, for the user in `X-User-Id` or the body.
#[derive(Debug)]
pub struct BuyForm(pub admit::Request);

impl FromRequest<Shared> for BuyForm {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let access = Access::from_request_parts(&mut parts, app).await?;
        let ProductPath(product) = ProductPath::from_request_parts(&mut parts, app).await?;
        let key = headers::idempotency_key(&parts.headers);
        let header_user = headers::user_id(&parts.headers);
        let traceparent = headers::traceparent(&parts.headers);
        let pass = headers::queue_pass(&parts.headers);
        let verdict = app.challenge.verdict(&parts.headers);
        let body = body::read_optional(&parts.headers, body, app).await?;
        // A body that is there must be sound, also where the header says it all.
        let fields = body.map(|body| Fields::read(&body)).transpose();
        let user_id = header_user.and_then(|user| match (user, fields?) {
            (None, Some(fields)) => body_user(fields),
            (user, _) => Ok(user),
        });
        let (user_id, key) = both(user_id, key)?;
        let missing = || Faults::one("userId", "is missing, and X-User-Id too");
        let user_id = access.buyer(user_id)?.ok_or_else(missing)?;
        app.challenge.check(&access, verdict.as_deref(), &user_id, || app.clock.now())?;
        let (quantity, want, item) = (Quantity::ONE, Want::Buy, Item::Product(product));
        Ok(Self(admit::Request { item, quantity, user_id, want, key, pass, traceparent }))
    }
}

/// What a body names.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    item: Item,
    quantity: Quantity,
    user_id: Option<UserId>,
}

/// Both, or the faults of both.
fn both<A, B>(a: Result<A, Faults>, b: Result<B, Faults>) -> Result<(A, B), Faults> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(mut a), Err(b)) => {
            a.extend(b);
            Err(a)
        }
        (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
    }
}

/// Reads a body, which must name the buyer unless they are `known` already.
fn named(body: &str, quantity_max: u32, known: bool) -> Result<Named, Faults> {
    if let Some(raw) = RawPurchase::fast(body) {
        return check(raw, Faults::default(), quantity_max, known);
    }
    let mut fields = Fields::read(body)?;
    let raw = RawPurchase::slow(&mut fields, quantity_max);
    check(raw, std::mem::take(fields.faults()), quantity_max, known)
}

/// What the types alone cannot say.
fn check(
    raw: RawPurchase<'_>,
    mut faults: Faults,
    quantity_max: u32,
    known: bool,
) -> Result<Named, Faults> {
    let item = item(&raw, &mut faults);
    let quantity = raw.quantity.and_then(|units| {
        let quantity = Quantity::parse(units, quantity_max);
        if quantity.is_none() {
            faults.note("quantity", format!("must be an integer from 1 to {quantity_max}"));
        }
        quantity
    });
    let user_id = raw.user_id.and_then(|user| {
        UserId::parse(&*user.0).map_err(|error| faults.note("userId", error.0)).ok()
    });
    if quantity.is_none() {
        faults.note_missing("quantity");
    }
    if user_id.is_none() && !known {
        faults.note_missing("userId");
    }
    match (item, quantity) {
        (Some(item), Some(quantity)) if faults.all().is_empty() => {
            Ok(Named { item, quantity, user_id })
        }
        _ => Err(faults),
    }
}

/// A product, or the sale that stands for it.
fn item(raw: &RawPurchase<'_>, faults: &mut Faults) -> Option<Item> {
    if faults.of("flashSaleId") {
        return None;
    }
    match raw.flash_sale_id {
        None => product(raw, faults).map(Item::Product),
        Some(_) if raw.product_id.is_some() || raw.sku.is_some() || raw.sku_id.is_some() => {
            faults.note("flashSaleId", "stands for the product: give one or the other");
            None
        }
        Some(id @ 1..) => Some(Item::Sale(SaleId(id))),
        Some(_) => {
            faults.note("flashSaleId", "must be a positive integer");
            None
        }
    }
}

/// Exactly one of `productId` and `sku`; `skuId` is read as `sku`.
pub(super) fn product(raw: &RawPurchase<'_>, faults: &mut Faults) -> Option<ProductRef> {
    const ONE_OF: &str = "exactly one of productId and sku (or skuId) must be given";
    if ["productId", "sku", "skuId"].iter().any(|name| faults.of(name)) {
        return None;
    }
    let (field, sku) = match (&raw.sku, &raw.sku_id) {
        (Some(sku), Some(sku_id)) if sku.0 != sku_id.0 => {
            faults.note("skuId", "must be the same as sku where both are given");
            return None;
        }
        (Some(sku), _) => ("sku", Some(sku)),
        (None, sku_id) => ("skuId", sku_id.as_ref()),
    };
    let parsed = match (raw.product_id, sku) {
        (Some(number), None) => {
            ProductId::parse(number).map(ProductRef::Id).map_err(|error| ("productId", error.0))
        }
        (None, Some(sku)) => {
            Sku::parse(&*sku.0).map(ProductRef::Sku).map_err(|error| (field, error.0))
        }
        (Some(_), Some(_)) | (None, None) => Err(("productId", ONE_OF)),
    };
    parsed.map_err(|(field, fault)| faults.note(field, fault)).ok()
}

/// The product that a message names.
pub fn product_named(mut fields: Fields) -> Result<ProductRef, Faults> {
    let raw = RawPurchase::product(&mut fields);
    let mut faults = std::mem::take(fields.faults());
    let product = product(&raw, &mut faults);
    faults.or(product)
}

/// `userId` of a body that says nothing else.
fn body_user(mut fields: Fields) -> Result<Option<UserId>, Faults> {
    let user = user_id(&mut fields).and_then(|user| match UserId::parse(&*user.0) {
        Ok(user) => Some(user),
        Err(error) => fields.wrong("userId", error.0),
    });
    fields.finish(Some(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(body: &str) -> Vec<String> {
        let faults = named(body, 100, false).unwrap_err();
        faults.all().iter().map(|fault| fault.field.to_string()).collect()
    }

    #[test]
    fn a_user_is_a_string_or_a_number() {
        for user in ["\"42\"", "42"] {
            let body = format!("{{\"productId\":1,\"quantity\":2,\"userId\":{user},\"more\":[]}}");
            let named = named(&body, 100, false).unwrap();
            assert_eq!(named.user_id.unwrap().as_str(), "42");
            assert_eq!(named.quantity.units(), 2);
        }
        assert_eq!(faults(r#"{"productId":1,"quantity":1,"userId":1.5}"#), ["userId"]);
    }

    #[test]
    fn sku_and_sku_id_are_the_same() {
        for body in [
            r#"{"sku":"A-1","quantity":1,"userId":"u"}"#,
            r#"{"skuId":"A-1","quantity":1,"userId":"u"}"#,
            r#"{"skuId":"A-1","sku":"A\u002d1","productId":null,"quantity":1,"userId":"u"}"#,
        ] {
            let product = ProductRef::Sku(Sku::parse("A-1").unwrap());
            assert_eq!(named(body, 100, false).unwrap().item, Item::Product(product), "{body}");
        }
    }

    #[test]
    fn every_fault_is_listed() {
        let cases: &[(&str, &[&str])] = &[
            ("{}", &["productId", "quantity", "userId"]),
            (
                r#"{"productId":"1","quantity":"1","userId":[]}"#,
                &["productId", "quantity", "userId"],
            ),
            (r#"{"productId":0,"quantity":0,"userId":""}"#, &["productId", "quantity", "userId"]),
            (r#"{"productId":1,"sku":"A","quantity":-1,"userId":"u"}"#, &["productId", "quantity"]),
            (r#"{"sku":"123","quantity":101,"userId":"u"}"#, &["sku", "quantity"]),
            (r#"{"sku":"A","skuId":"B","quantity":1.0,"userId":"u"}"#, &["quantity", "skuId"]),
            (r#"{"productId":1,"quantity":1,"quantity":2,"userId":"u"}"#, &["quantity"]),
            (r#"{"productId":1,"quantity":1e99,"userId":"a\u0000b"}"#, &["quantity", "userId"]),
            (r#"[1,null,null,1,"u"]"#, &["body"]),
            ("{", &["body"]),
        ];
        for (body, expected) in cases {
            assert_eq!(faults(body), *expected, "{body}");
        }
    }

    #[test]
    fn the_short_form_needs_only_a_user() {
        let user = |body| body_user(Fields::read(body).unwrap());
        assert_eq!(user(r#"{"userId":7,"quantity":9}"#).unwrap().unwrap().as_str(), "7");
        assert_eq!(user("{}").unwrap(), None);
        assert!(user("{\"userId\":\"\"}").unwrap_err().of("userId"));
    }
}
