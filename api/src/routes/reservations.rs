//! Holding units while the buyer pays.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use shared::domain::{Act, Command, Order, Status};
use shared::pipeline::admit::Want;
use shared::pipeline::track::TrackError;
use shared::ports::Clock;

use super::async_purchase::accept_and_wait;
use super::conclude::conclude_order;
use super::orders::placed;
use super::refusal::{Asked, Named, refused};
use crate::identity::Access;
use crate::parse::schema::PurchaseBody;
use crate::parse::{Owner, PurchaseForm, TrackingPath};
use crate::problem::{Problem, kind, responses};
use crate::state::{App, Shared};
use crate::views::{Accepted, PurchaseView, ReservationView};

/// Holds units while the buyer pays
///
/// For as long as the sale says, else the configuration (two minutes). With `Prefer: respond-async`
/// it is answered 202 like an asynchronous purchase, whose tracking ID is the reservation's ID.
#[utoipa::path(
    post,
    path = "/api/v1/reservations",
    tag = "Orders",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
        ("X-Queue-Pass" = Option<String>, Header, description = "The pass of a waiting room, where the sale has one"),
        ("Prefer" = Option<String>, Header, description = "respond-async, and with it wait=N: seconds, 30 at most"),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context, travels with the purchase"),
    ),
    request_body = PurchaseBody,
    responses(
        (status = 200, description = "Decided while an asynchronous client waited; of a synchronous retry, its hold as it stands now", body = PurchaseView),
        (status = 201, description = "Held", body = ReservationView, headers(
            ("Location" = String, description = "The reservation"),
        )),
        (status = 202, description = "The broker has it", body = Accepted),
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
pub async fn hold(State(app): State<Shared>, form: PurchaseForm) -> Result<Response, Problem> {
    let PurchaseForm { mut request, wait, respond_async } = form;
    request.want = Want::Hold;
    if respond_async {
        return accept_and_wait(&app, request, wait).await;
    }
    let (stands, order) = conclude_order(&app, request).await?;
    let location = HeaderValue::try_from(format!("/api/v1/reservations/{}", order.id));
    let location = location.map(|location| [(header::LOCATION, location)]).ok();
    Ok((placed(&order), stands, location, Json(view(&app, &order))).into_response())
}

/// Shows a reservation
#[utoipa::path(
    get,
    path = "/api/v1/reservations/{reservationId}",
    tag = "Orders",
    params(("reservationId" = uuid::Uuid, Path, description = "As it was given out")),
    responses(
        (status = 200, description = "The reservation, whatever became of it", body = ReservationView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchReservation),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn show(
    State(app): State<Shared>,
    access: Access,
    TrackingPath(id): TrackingPath,
) -> Result<Json<ReservationView>, Problem> {
    let order = match app.tracker.look(id).await {
        Ok(tracked) => tracked.order,
        Err(TrackError::NeverIssued) => return Err(Problem::plain(kind::RESERVATION_NOT_FOUND)),
        Err(error) => return Err(error.into()),
    };
    if is_purchase(&order) || !access.sees(&order) {
        return Err(Problem::plain(kind::RESERVATION_NOT_FOUND));
    }
    Ok(Json(view(&app, &order)))
}

/// Gives a reservation back
///
/// Its units can be had by others at once. Giving it back again changes nothing; one that was paid
/// for is an order, which is cancelled as such.
#[utoipa::path(
    delete,
    path = "/api/v1/reservations/{reservationId}",
    tag = "Orders",
    params(
        ("reservationId" = uuid::Uuid, Path, description = "As it was given out"),
        ("X-User-Id" = Option<String>, Header, description = "Whose it must be"),
    ),
    responses(
        (status = 200, description = "Given back", body = ReservationView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchReservation),
        (status = 409, response = responses::InvalidTransition),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn release(
    State(app): State<Shared>,
    TrackingPath(id): TrackingPath,
    Owner { access, user }: Owner,
) -> Result<Json<ReservationView>, Problem> {
    let command = Command { id, user, act: Act::Release, by: access.noted() };
    let asked = Asked { id, named: Named::Reservation, to: Status::Cancelled };
    let advanced = app.advancer.advance(command).await;
    let advanced = advanced.map_err(|error| refused(&app, &access, error, asked))?;
    Ok(Json(view(&app, &advanced.order)))
}

/// It was bought at once, never held.
fn is_purchase(order: &Order) -> bool {
    order.expires_at.is_none() && !matches!(order.status, Status::Queued | Status::Rejected)
}

fn view(app: &App, order: &Order) -> ReservationView {
    let catalogue = app.boards.catalogue.current();
    ReservationView::new(order, catalogue.as_deref(), app.clock.now())
}
