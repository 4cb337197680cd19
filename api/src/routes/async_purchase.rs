//! The asynchronous purchase: 202 once the broker has it.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::domain::{Status, Terms, Timestamp, TrackingId};
use shared::pipeline::admit::{self, Admission, Admitted};

use super::purchases;
use crate::edge::HEADERS_USUAL;
use crate::limits::Stands;
use crate::parse::schema::PurchaseBody;
use crate::parse::{PurchaseForm, Wait};
use crate::problem::{Problem, responses};
use crate::state::{App, Shared};
use crate::views::{Accepted, PurchasePath, PurchaseView};

/// Accepts a purchase
///
/// 202 means the broker has it; what becomes of it is found under `Location`. With `Prefer: wait=N`
/// the answer is held back for up to N seconds and is then 200 with the outcome, where there is one.
/// A retry with the same `Idempotency-Key` is the same purchase.
#[utoipa::path(
    post,
    path = "/api/v1/async/purchase",
    tag = "Purchases",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
        ("X-Queue-Pass" = Option<String>, Header, description = "The pass of a waiting room, where the sale has one"),
        ("Prefer" = Option<String>, Header, description = "wait=N: seconds, 30 at most"),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context, travels with the purchase"),
    ),
    request_body = PurchaseBody,
    responses(
        (status = 200, description = "Decided while the client waited", body = PurchaseView),
        (status = 202, description = "The broker has it", body = Accepted, headers(
            ("Location" = String, description = "Where to find out what became of it"),
            ("Retry-After" = u64, description = "Seconds after which to look"),
            ("Preference-Applied" = String, description = "wait=N, where a wait was asked for"),
        )),
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
pub async fn submit(
    State(app): State<Shared>,
    PurchaseForm { request, wait, .. }: PurchaseForm,
) -> Result<Response, Problem> {
    accept_and_wait(&app, request, wait).await
}

/// Accepts a request, and shows its outcome if there is one within the wait.
pub(super) async fn accept_and_wait(
    app: &App,
    request: admit::Request,
    wait: Wait,
) -> Result<Response, Problem> {
    let (stands, ticket) = accept(app, request).await?;
    if wait.limit.is_zero() {
        return Ok((stands, ticket.answer(wait)).into_response());
    }
    // The purchase is accepted: whatever goes wrong while waiting, the answer is 202.
    match purchases::wait(app, ticket.id, wait.limit).await {
        Ok(tracked) if tracked.order.status.is_decided() => {
            let catalogue = app.boards.catalogue.current();
            let view = PurchaseView::new(ticket.id, &tracked, catalogue.as_deref(), true);
            Ok((applied(wait), stands, Json(view)).into_response())
        }
        Ok(_) | Err(_) => Ok((stands, ticket.answer(wait)).into_response()),
    }
}

/// What the client is given for an accepted purchase.
struct Ticket {
    id: TrackingId,
    status: Status,
    terms: Option<Terms>,
    accepted_at: Timestamp,
}

async fn accept(app: &App, request: admit::Request) -> Result<(Stands, Ticket), Problem> {
    let Admission { admitted, quota } = app.admitter.accept(request).await?;
    let ticket = match admitted {
        Admitted::Purchase(purchase) => Ticket {
            id: purchase.id,
            status: Status::Queued,
            terms: Some(purchase.terms),
            accepted_at: purchase.accepted_at,
        },
        Admitted::Stored(order) => Ticket {
            id: order.id,
            status: order.status,
            terms: order.terms.clone(),
            accepted_at: order.accepted_at,
        },
    };
    Ok((Stands(quota), ticket))
}

impl Ticket {
    fn answer(self, wait: Wait) -> Response {
        let body = Accepted::new(self.id, self.status, self.terms.as_ref(), self.accepted_at);
        let mut response = Response::new(Body::from(body.to_json()));
        *response.status_mut() = StatusCode::ACCEPTED;
        let headers = response.headers_mut();
        headers.reserve(HEADERS_USUAL);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(location) = HeaderValue::from_str(PurchasePath::state(self.id).as_str()) {
            headers.insert(header::LOCATION, location);
        }
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        headers.extend(applied(wait));
        response
    }
}

/// Says how long the answer was held back at most (RFC 7240, section 3).
pub(super) fn applied(wait: Wait) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if wait.preferred {
        let applied = format!("wait={}", wait.limit.as_secs());
        if let Ok(applied) = HeaderValue::try_from(applied) {
            headers.insert(HeaderName::from_static("preference-applied"), applied);
        }
    }
    headers
}
