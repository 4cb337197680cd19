//! What those who wait in line send.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde_json::Value;
use shared::domain::room::Ticket;
use shared::domain::{ProductRef, SaleId, Scope, UserId};

use super::fields::Fields;
use super::purchase;
use super::raw::{RawPurchase, Text, user_id};
use super::{body, headers, path, query};
use crate::identity::{Access, Rule};
use crate::problem::{Faults, Problem, kind};
use crate::routes::waiting_room;
use crate::state::Shared;

/// Who may stand in line.
pub const BUYERS: Rule = Rule::Buyers(Scope::Purchases);

/// Which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineOf {
    /// That of a sale.
    Sale(SaleId),
    /// That of the sale of a product that is open, or opens next.
    Product(ProductRef),
}

/// A wish to join a line.
#[derive(Debug)]
pub struct JoinForm {
    /// Who.
    pub user: UserId,
    /// Which line.
    pub line: LineOf,
}

impl FromRequest<Shared> for JoinForm {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let access = Access::from_request_parts(&mut parts, app).await?;
        let named = headers::user_id(&parts.headers)?;
        let body = body::read(&parts.headers, body, app, 1).await?;
        let (line, in_body) = join(&body)?;
        let user = access.buyer(in_body.or(named))?;
        let user = user.ok_or_else(|| Faults::one("userId", "is missing"))?;
        Ok(Self { user, line })
    }
}

/// The sale or the product, and the user, of a body.
fn join(body: &str) -> Result<(LineOf, Option<UserId>), Faults> {
    line_of(Fields::read(body)?)
}

/// The sale or the product, and the user, of an object.
pub fn line_of(mut fields: Fields) -> Result<(LineOf, Option<UserId>), Faults> {
    let user = user_id(&mut fields).and_then(|user| {
        UserId::parse(user.0).map_err(|error| fields.faults().note("userId", error.0)).ok()
    });
    let by_product = ["productId", "sku", "skuId"].iter().any(|name| fields.has(name));
    if fields.has("flashSaleId") && by_product {
        fields.faults().note("flashSaleId", "names the sale: leave productId and sku out");
    }
    let line = match fields.integer("flashSaleId", 1..=i64::MAX) {
        Some(sale) => Some(LineOf::Sale(SaleId(sale))),
        None if fields.has("flashSaleId") => None,
        None => {
            let raw = RawPurchase {
                product_id: fields.value("productId").as_ref().and_then(Value::as_i64),
                sku: fields.text("sku", usize::MAX).map(|sku| Text(sku.into())),
                sku_id: fields.text("skuId", usize::MAX).map(|sku| Text(sku.into())),
                ..RawPurchase::default()
            };
            if by_product {
                purchase::product(&raw, fields.faults()).map(LineOf::Product)
            } else {
                fields.wrong("flashSaleId", "is missing, and productId and sku too")
            }
        }
    };
    if line.is_none() && fields.value("flashSaleId").is_none() && fields.has("flashSaleId") {
        fields.faults().note_missing("flashSaleId");
    }
    fields.finish(line.map(|line| (line, user)))
}

/// Whose place in line is asked about: by ticket (`X-Queue-Ticket` or `?ticket=`), or by sale and user.
#[derive(Debug)]
pub enum PlaceOf {
    /// A ticket of ours; of the caller, where callers are known.
    Ticket(Ticket),
    /// A user's place in the line of a sale.
    User(SaleId, UserId),
}

impl FromRequestParts<Shared> for PlaceOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let access = Access::from_request_parts(parts, app).await?;
        let in_path = path::optional(parts, "id");
        let parameters = query::parameters(parts)?;
        let number = in_path.as_deref().or_else(|| parameters.get("flashSaleId"));
        let named = number.map(|text| sale(text, in_path.is_some())).transpose()?;
        let text = headers::queue_ticket(&parts.headers).or_else(|| parameters.get("ticket"));
        if let Some(text) = text {
            let ticket = waiting_room::open(app, &access, text)?;
            if named.is_some_and(|sale| sale != ticket.sale_id) {
                return Err(Problem::plain(kind::NOT_IN_QUEUE));
            }
            return Ok(Self::Ticket(ticket));
        }
        let mut faults = Faults::default();
        let user = match parameters.get("userId") {
            Some(text) => UserId::parse(text).map_err(|error| faults.note("userId", error.0)).ok(),
            None => headers::user_id(&parts.headers)?,
        };
        let user = access.buyer(user)?;
        if user.is_none() && !faults.of("userId") {
            faults.note("userId", "is missing, and X-Queue-Ticket too");
        }
        if named.is_none() {
            faults.note("flashSaleId", "is missing, and X-Queue-Ticket too");
        }
        let (sale, user) = faults.or(named.zip(user))?;
        // By name only for those who may buy under it.
        app.gatekeeper.check(BUYERS, &access.caller)?;
        Ok(Self::User(sale, user))
    }
}

fn sale(text: &str, in_path: bool) -> Result<SaleId, Faults> {
    let number = text.parse().ok().filter(|number: &i64| *number > 0);
    let name = if in_path { "id" } else { "flashSaleId" };
    number.map(SaleId).ok_or_else(|| Faults::one(name, "must be the number of a sale"))
}

#[cfg(test)]
mod tests {
    use shared::domain::ProductId;

    use super::*;

    fn faults(body: &str) -> Vec<String> {
        join(body).unwrap_err().all().iter().map(|fault| fault.field.to_string()).collect()
    }

    #[test]
    fn a_line_is_named_by_its_sale_or_by_its_product() {
        let user = |name| Some(UserId::parse(name).unwrap());
        let joined = join(r#"{"flashSaleId":7,"userId":"u-1"}"#).unwrap();
        assert_eq!(joined, (LineOf::Sale(SaleId(7)), user("u-1")));
        let joined = join(r#"{"productId":1,"userId":42}"#).unwrap();
        assert_eq!(joined, (LineOf::Product(ProductRef::Id(ProductId(1))), user("42")));
        assert!(matches!(join(r#"{"sku":"A"}"#).unwrap(), (LineOf::Product(_), None)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(faults("{}"), ["flashSaleId"]);
        assert_eq!(faults(r#"{"flashSaleId":0}"#), ["flashSaleId"]);
        assert_eq!(faults(r#"{"flashSaleId":"7","userId":true}"#), ["userId", "flashSaleId"]);
        assert_eq!(faults(r#"{"flashSaleId":null}"#), ["flashSaleId"]);
        assert_eq!(faults("[]"), ["body"]);
    }
}
