//! The synchronous purchase: the outcome in the answer.

use axum::Json;
use axum::extract::State;

use super::conclude::conclude;
use crate::limits::Stands;
use crate::parse::PurchaseForm;
use crate::parse::schema::PurchaseBody;
use crate::problem::{Problem, responses};
use crate::state::Shared;
use crate::views::Sold;

/// Buys and waits for the outcome
///
/// No outcome within the deadline is 503 without a tracking ID; a retry with the same
/// `Idempotency-Key` is safe and finds out what became of it.
#[utoipa::path(
    post,
    path = "/api/v1/sync/purchase",
    tag = "Purchases",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
        ("X-Queue-Pass" = Option<String>, Header, description = "The pass of a waiting room, where the sale has one"),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context, travels with the purchase"),
    ),
    request_body = PurchaseBody,
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
pub async fn purchase(
    State(app): State<Shared>,
    form: PurchaseForm,
) -> Result<(Stands, Json<Sold>), Problem> {
    conclude(&app, form.request).await
}
