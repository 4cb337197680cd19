//! The short form of the synchronous purchase.

use axum::Json;
use axum::extract::State;

use super::conclude::conclude;
use crate::limits::Stands;
use crate::parse::BuyForm;
use crate::parse::schema::BuyBody;
use crate::problem::{Problem, responses};
use crate::state::Shared;
use crate::views::Sold;

/// Buys one unit and waits for the outcome
///
/// The buyer is named by `X-User-Id` or by the body, which may else be left out.
#[utoipa::path(
    post,
    path = "/api/buy/{product}",
    tag = "Purchases",
    params(
        ("product" = String, Path, description = "A product number or a SKU"),
        ("X-User-Id" = Option<String>, Header, description = "The buyer"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
        ("X-Queue-Pass" = Option<String>, Header, description = "The pass of a waiting room, where the sale has one"),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context, travels with the purchase"),
    ),
    request_body = Option<BuyBody>,
    responses(
        (status = 200, description = "Sold", body = Sold),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchProduct),
        (status = 409, response = responses::Refused),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 422, response = responses::KeyReused),
        (status = 429, response = responses::RateLimited),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn buy(
    State(app): State<Shared>,
    BuyForm(request): BuyForm,
) -> Result<(Stands, Json<Sold>), Problem> {
    conclude(&app, request).await
}
