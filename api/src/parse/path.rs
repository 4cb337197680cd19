//! Names in paths.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use shared::domain::{ProductId, ProductRef, SaleId, Sku, TrackingId, UserId};
use shared::ports::LetterRef;

use super::headers;
use crate::identity::Access;
use crate::problem::{Faults, Problem};
use crate::state::Shared;
use crate::table::Parameter;

/// `{product}`: digits are a product number, all else is a SKU.
#[derive(Debug)]
pub struct ProductPath(pub ProductRef);

impl FromRequestParts<Shared> for ProductPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let text = segment(parts, "product")?;
        product(&text).map(Self).map_err(|fault| Faults::one("product", fault).into())
    }
}

/// `{trackingId}`, or the same ID by another name.
#[derive(Debug)]
pub struct TrackingPath(pub TrackingId);

/// The names of a tracking ID in paths.
const ID_NAMES: [&str; 3] = ["trackingId", "orderId", "reservationId"];

impl FromRequestParts<Shared> for TrackingPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let is = |name: &str| of(parts).is_some_and(|parameter| *parameter.name == *name);
        let name = ID_NAMES.into_iter().find(|name| is(name)).unwrap_or(ID_NAMES[0]);
        let text = segment(parts, name)?;
        let id = text.parse::<TrackingId>();
        id.map(Self).map_err(|error| Faults::one(name, error.to_string()).into())
    }
}

/// Whose order it must be, by the access token or by `X-User-Id`: one of somebody else's is then left
/// alone.
#[derive(Debug)]
pub struct Owner {
    /// Who asks.
    pub access: Access,
    /// `None` is anybody's.
    pub user: Option<UserId>,
}

impl FromRequestParts<Shared> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let access = Access::from_request_parts(parts, app).await?;
        let user = access.owner(headers::user_id(&parts.headers)?)?;
        Ok(Self { access, user })
    }
}

fn product(text: &str) -> Result<ProductRef, &'static str> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let number = text.parse().map_err(|_| "must be a product number or a SKU")?;
        return ProductId::parse(number).map(ProductRef::Id).map_err(|error| error.0);
    }
    Sku::parse(text).map(ProductRef::Sku).map_err(|error| error.0)
}

/// The segment of the path that its template calls so.
pub(super) fn segment<'p>(parts: &'p Parts, name: &'static str) -> Result<Cow<'p, str>, Problem> {
    let undecoded = || Faults::one(name, "must be UTF-8, percent-encoded").into();
    optional(parts, name).ok_or_else(undecoded)
}

/// The same, where the template of another route has none.
pub(super) fn optional<'p>(parts: &'p Parts, name: &str) -> Option<Cow<'p, str>> {
    let parameter = of(parts).filter(|parameter| *parameter.name == *name)?;
    percent_decode_str(&parameter.text).decode_utf8().ok()
}

fn of(parts: &Parts) -> Option<&Parameter> {
    parts.extensions.get()
}

/// `{id}` of a sale.
#[derive(Debug)]
pub struct SalePath(pub SaleId);

impl FromRequestParts<Shared> for SalePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let number = segment(parts, "id")?.parse().ok();
        let id = number.filter(|number: &i64| *number > 0).map(SaleId);
        id.map(Self).ok_or_else(|| Faults::one("id", "must be the number of a sale").into())
    }
}

/// `{id}` of a dead letter: its number, or the ID of its order.
#[derive(Debug)]
pub struct LetterPath(pub LetterRef);

impl FromRequestParts<Shared> for LetterPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let letter = segment(parts, "id")?.parse();
        letter.map(Self).map_err(|fault: &str| Faults::one("id", fault.to_owned()).into())
    }
}

/// `{file}`.
#[derive(Debug)]
pub struct FilePath(pub String);

impl FromRequestParts<Shared> for FilePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        segment(parts, "file").map(|name| Self(name.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_number_and_all_else_a_sku() {
        assert_eq!(product("7"), Ok(ProductRef::Id(ProductId(7))));
        assert_eq!(product("7a"), Ok(ProductRef::Sku(Sku::parse("7a").unwrap())));
        for text in ["0", "99999999999999999999", "a b", "-1!"] {
            assert!(product(text).is_err(), "{text}");
        }
    }
}
