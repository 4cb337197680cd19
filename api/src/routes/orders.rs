//! Orders: bought, shown, cancelled, shipped.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::domain::{Act, Command, Order, Status};
use shared::pipeline::track::TrackError;
use shared::ports::OrderQuery;
use tokio::time::Instant;

use super::conclude::conclude_order;
use super::refusal::{Asked, Named, refused};
use crate::identity::Access;
use crate::parse::schema::PurchaseBody;
use crate::parse::{OrderPage, Owner, PurchaseForm, TrackingPath};
use crate::problem::{Problem, kind, responses};
use crate::state::{App, Shared};
use crate::views::{OrderList, OrderView};

/// Buys and waits for the order
///
/// The synchronous purchase by another name.
#[utoipa::path(
    post,
    path = "/api/v1/orders",
    tag = "Orders",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
        ("X-Queue-Pass" = Option<String>, Header, description = "The pass of a waiting room, where the sale has one"),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context, travels with the purchase"),
    ),
    request_body = PurchaseBody,
    responses(
        (status = 200, description = "A retry whose order has gone on since", body = OrderView),
        (status = 201, description = "Sold", body = OrderView, headers(
            ("Location" = String, description = "The order"),
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
pub async fn create(State(app): State<Shared>, form: PurchaseForm) -> Result<Response, Problem> {
    let (stands, order) = conclude_order(&app, form.request).await?;
    let mut answer = created(&app, &order);
    *answer.status_mut() = placed(&order);
    Ok((stands, answer).into_response())
}

/// Shows an order
#[utoipa::path(
    get,
    path = "/api/v1/orders/{orderId}",
    tag = "Orders",
    params(("orderId" = uuid::Uuid, Path, description = "As it was given out")),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchOrder),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn show(
    State(app): State<Shared>,
    access: Access,
    TrackingPath(id): TrackingPath,
) -> Result<Json<OrderView>, Problem> {
    match app.tracker.read(id).await {
        Ok(order) if access.sees(&order) => Ok(Json(view(&app, &order))),
        Ok(_) | Err(TrackError::NeverIssued) => Err(Problem::plain(kind::ORDER_NOT_FOUND)),
        Err(error) => Err(error.into()),
    }
}

/// Lists a user's orders
///
/// Newest first, in pages: `next` of one page is `after` of the next.
#[utoipa::path(
    get,
    path = "/api/v1/orders",
    tag = "Orders",
    params(
        ("userId" = String, Query, description = "Whose"),
        ("status" = Option<String>, Query, description = "Only those that stand there, such as CONFIRMED"),
        ("limit" = Option<u32>, Query, description = "Orders in the page: 1 to 200, else 50"),
        ("after" = Option<uuid::Uuid>, Query, description = "The last order of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = OrderList),
        (status = 400, response = responses::Invalid),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn list(
    State(app): State<Shared>,
    OrderPage(query): OrderPage,
) -> Result<Json<OrderList>, Problem> {
    page(&app, query).await.map(Json)
}

/// Lists a user's orders by path
///
/// The same as `/api/v1/orders?userId=`.
#[utoipa::path(
    get,
    path = "/api/v1/orders/user/{userId}",
    tag = "Orders",
    params(
        ("userId" = String, Path, description = "Whose"),
        ("status" = Option<String>, Query, description = "Only those that stand there, such as CONFIRMED"),
        ("limit" = Option<u32>, Query, description = "Orders in the page: 1 to 200, else 50"),
        ("after" = Option<uuid::Uuid>, Query, description = "The last order of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = OrderList),
        (status = 400, response = responses::Invalid),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn list_of_user(
    State(app): State<Shared>,
    OrderPage(query): OrderPage,
) -> Result<Json<OrderList>, Problem> {
    page(&app, query).await.map(Json)
}

/// Cancels an order
///
/// Before it is shipped. Its units are for sale again; what was paid for it is due back.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{orderId}/cancel",
    tag = "Orders",
    params(
        ("orderId" = uuid::Uuid, Path, description = "As it was given out"),
        ("X-User-Id" = Option<String>, Header, description = "Whose it must be"),
    ),
    responses(
        (status = 200, description = "Cancelled", body = OrderView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchOrder),
        (status = 409, response = responses::InvalidTransition),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn cancel(
    State(app): State<Shared>,
    TrackingPath(id): TrackingPath,
    Owner { access, user }: Owner,
) -> Result<Json<OrderView>, Problem> {
    let command = Command { id, user, act: Act::Cancel, by: access.noted() };
    advance(&app, &access, command, Status::Cancelled).await
}

/// Marks an order as shipped
#[utoipa::path(
    post,
    path = "/api/v1/orders/{orderId}/fulfil",
    tag = "Operators",
    params(("orderId" = uuid::Uuid, Path, description = "As it was given out")),
    responses(
        (status = 200, description = "Shipped", body = OrderView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchOrder),
        (status = 409, response = responses::InvalidTransition),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn fulfil(
    State(app): State<Shared>,
    access: Access,
    TrackingPath(id): TrackingPath,
) -> Result<Json<OrderView>, Problem> {
    let command = Command { id, user: None, act: Act::Fulfil, by: access.noted() };
    advance(&app, &access, command, Status::Fulfilled).await
}

async fn advance(
    app: &App,
    access: &Access,
    command: Command,
    to: Status,
) -> Result<Json<OrderView>, Problem> {
    let asked = Asked { id: command.id, named: Named::Order, to };
    let advanced = app.advancer.advance(command).await;
    let advanced = advanced.map_err(|error| refused(app, access, error, asked))?;
    Ok(Json(view(app, &advanced.order)))
}

async fn page(app: &App, mut query: OrderQuery) -> Result<OrderList, Problem> {
    let limit = query.limit;
    // One more than asked for tells whether there is a next page.
    query.limit += 1;
    let began = Instant::now();
    let found = app.ports.ledger.orders_of(&query).await?;
    let more = found.len() > limit;
    let found: Vec<_> = found.into_iter().take(limit).map(Arc::new).collect();
    app.boards.outcomes.learn(&found, began);
    let next = found.last().filter(|_| more).map(|order| order.id);
    Ok(OrderList { orders: found.iter().map(|order| view(app, order)).collect(), next })
}

/// 201 with an order and where it is found.
pub(super) fn created(app: &App, order: &Order) -> Response {
    let location = HeaderValue::try_from(format!("/api/v1/orders/{}", order.id));
    let location = location.map(|location| [(header::LOCATION, location)]).ok();
    (StatusCode::CREATED, location, Json(view(app, order))).into_response()
}

/// 201 of an order that was just placed; 200 of a retry whose order has gone on since.
pub(super) const fn placed(order: &Order) -> StatusCode {
    if order.version == 1 { StatusCode::CREATED } else { StatusCode::OK }
}

fn view(app: &App, order: &Order) -> OrderView {
    OrderView::new(order, app.boards.catalogue.current().as_deref())
}
