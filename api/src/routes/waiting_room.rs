//! The waiting room of a sale: join the line, see where one stands, leave.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use shared::domain::room::Ticket;
use shared::domain::{Phase, ProductRef, Sale, SaleId};
use shared::pipeline::waiting_room::{Place, RoomState};
use shared::ports::Clock;

use crate::identity::Access;
use crate::live::{Kind, queue, sse};
use crate::parse::schema::JoinBody;
use crate::parse::{JoinForm, LineOf, PlaceOf};
use crate::problem::{Faults, Problem, kind, responses};
use crate::sales::SaleError;
use crate::state::{App, Shared};
use crate::views::{LeftView, PlaceView};

const X_QUEUE_TICKET: HeaderName = HeaderName::from_static("x-queue-ticket");

/// Joins the line of a sale
///
/// Who is in it already keeps the place. The ticket in the answer is the proof of it; whoever is called gets
/// a pass, which is sent as `X-Queue-Pass` with the purchase.
#[utoipa::path(
    post,
    path = "/api/v1/queue/join",
    tag = "Waiting room",
    request_body = JoinBody,
    responses(
        (status = 200, description = "In line, or let in already", body = PlaceView, headers(
            ("Retry-After" = u64, description = "Ask again after so many seconds, or stay connected"),
        )),
        (status = 400, response = responses::Invalid),
        (status = 403, response = responses::Forbidden),
        (status = 404, response = responses::NoSuchLine),
        (status = 409, response = responses::Refused),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn join(State(app): State<Shared>, form: JoinForm) -> Result<Response, Problem> {
    let sale = sale_of(&app, &form.line).await?;
    let ticket = app.waiting_rooms.join(&sale, &form.user).await?;
    answer(&app, &ticket).await
}

/// Shows where somebody stands in line
///
/// Also says that they are still there: whoever is not heard of for `patienceSeconds` loses the place.
#[utoipa::path(
    get,
    path = "/api/v1/queue/position",
    tag = "Waiting room",
    params(
        ("X-Queue-Ticket" = Option<String>, Header, description = "The ticket; else flashSaleId and the user"),
        ("ticket" = Option<String>, Query, description = "The same"),
        ("flashSaleId" = Option<i64>, Query, description = "The number of a sale"),
        ("userId" = Option<String>, Query, description = "Whose place"),
        ("X-User-Id" = Option<String>, Header, description = "The same"),
    ),
    responses(
        (status = 200, description = "Where they stand", body = PlaceView, headers(
            ("Retry-After" = u64, description = "Ask again after so many seconds, or stay connected"),
        )),
        (status = 400, response = responses::Invalid),
        (status = 403, response = responses::Forbidden),
        (status = 404, response = responses::NoSuchLine),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn position(State(app): State<Shared>, place: PlaceOf) -> Result<Response, Problem> {
    let ticket = waiting(&app, place).await?;
    answer(&app, &ticket).await
}

/// Shows where somebody stands in the line of a sale
#[utoipa::path(
    get,
    path = "/api/v1/flash-sales/{id}/queue-position",
    tag = "Waiting room",
    params(
        ("id" = i64, Path, description = "The number of a sale"),
        ("X-Queue-Ticket" = Option<String>, Header, description = "The ticket; else the user"),
        ("ticket" = Option<String>, Query, description = "The same"),
        ("userId" = Option<String>, Query, description = "Whose place"),
        ("X-User-Id" = Option<String>, Header, description = "The same"),
    ),
    responses(
        (status = 200, description = "Where they stand", body = PlaceView, headers(
            ("Retry-After" = u64, description = "Ask again after so many seconds, or stay connected"),
        )),
        (status = 400, response = responses::Invalid),
        (status = 403, response = responses::Forbidden),
        (status = 404, response = responses::NoSuchLine),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn position_in_sale(
    State(app): State<Shared>,
    place: PlaceOf,
) -> Result<Response, Problem> {
    let ticket = waiting(&app, place).await?;
    answer(&app, &ticket).await
}

/// Gives a place in line up
///
/// Once is as good as twice. A pass that was given already stays good.
#[utoipa::path(
    delete,
    path = "/api/v1/queue/leave",
    tag = "Waiting room",
    params(
        ("X-Queue-Ticket" = Option<String>, Header, description = "The ticket; else flashSaleId and the user"),
        ("ticket" = Option<String>, Query, description = "The same"),
        ("flashSaleId" = Option<i64>, Query, description = "The number of a sale"),
        ("userId" = Option<String>, Query, description = "Whose place"),
        ("X-User-Id" = Option<String>, Header, description = "The same"),
    ),
    responses(
        (status = 200, description = "Left", body = LeftView),
        (status = 400, response = responses::Invalid),
        (status = 403, response = responses::Forbidden),
        (status = 404, response = responses::NoSuchLine),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn leave(State(app): State<Shared>, place: PlaceOf) -> Result<Json<LeftView>, Problem> {
    let ticket = ticket_of(&app, place).await?;
    give_up(&app, ticket).await.map(Json)
}

/// Gives a place up.
pub async fn give_up(app: &App, ticket: Ticket) -> Result<LeftView, Problem> {
    app.waiting_rooms.leave(&ticket).await?;
    let Ticket { sale_id, user_id, .. } = ticket;
    Ok(LeftView { flash_sale_id: sale_id, user_id, status: "LEFT" })
}

/// Streams where somebody stands in line
///
/// Server-sent events: an event `position` now and whenever it changes. Whoever is connected is there. It ends with
/// the place; who comes back for more is answered 204, and an `EventSource` then stops.
#[utoipa::path(
    get,
    path = "/api/v1/queue/events",
    tag = "Waiting room",
    params(
        ("X-Queue-Ticket" = Option<String>, Header, description = "The ticket; else flashSaleId and the user"),
        ("ticket" = Option<String>, Query, description = "The same"),
        ("flashSaleId" = Option<i64>, Query, description = "The number of a sale"),
        ("userId" = Option<String>, Query, description = "Whose place"),
        ("X-User-Id" = Option<String>, Header, description = "The same"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that the client has"),
    ),
    responses(
        (status = 200, description = "`event: position`, `data:` as here", body = PlaceView, content_type = "text/event-stream"),
        (status = 204, description = "The client has all there will be"),
        (status = 400, response = responses::Invalid),
        (status = 403, response = responses::Forbidden),
        (status = 404, response = responses::NoSuchLine),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn events(
    State(app): State<Shared>,
    place: PlaceOf,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if sse::last_event_id(&headers) == Some(queue::OVER) {
        return Ok(sse::nothing_more());
    }
    let ticket = waiting(&app, place).await?;
    let seat = app.live.seat(Kind::Queue)?;
    let follower = queue::Follower::new(&app, ticket)?;
    Ok(sse::stream(&app.live, seat, follower.events()))
}

/// The ticket of a text. Somebody else's is as good as none.
pub fn open(app: &App, access: &Access, text: &str) -> Result<Ticket, Problem> {
    let ticket = app.waiting_rooms.open_ticket(text)?;
    let ticket = ticket.ok_or_else(|| Faults::one("ticket", "was not given out here"))?;
    let own = access.buyer(Some(ticket.user_id.clone())).is_ok();
    if own { Ok(ticket) } else { Err(Problem::plain(kind::NOT_IN_QUEUE)) }
}

/// The sale whose line is named: it must have one.
pub async fn sale_of(app: &App, line: &LineOf) -> Result<Sale, Problem> {
    let sale = match line {
        // What it has left does not matter here, and the board knows the rest.
        LineOf::Sale(id) => {
            let catalogue = app.boards.catalogue.current();
            match catalogue.and_then(|known| known.sale(*id).cloned()) {
                Some(sale) => sale,
                None => app.sales.one(*id).await?.found,
            }
        }
        LineOf::Product(named) => next_of(app, named).await?,
    };
    if sale.waiting_room.is_some() { Ok(sale) } else { Err(Problem::plain(kind::NO_WAITING_ROOM)) }
}

/// The sale of a product that is open, or opens next.
async fn next_of(app: &App, named: &ProductRef) -> Result<Sale, Problem> {
    let product = app.product(named).await?;
    let now = app.clock.now();
    let catalogue = app.boards.catalogue.current();
    let sales = catalogue.iter().flat_map(|catalogue| catalogue.sales_after(SaleId(0)));
    let open = |sale: &&Sale| {
        sale.product_id == product.id && matches!(sale.phase(now), Phase::Live | Phase::Upcoming)
    };
    let next = sales.filter(open).min_by_key(|sale| sale.starts_at).cloned();
    Ok(next.ok_or(SaleError::NoSuchSale)?)
}

/// The ticket that is meant, of somebody who is in line.
pub async fn ticket_of(app: &App, place: PlaceOf) -> Result<Ticket, Problem> {
    match place {
        PlaceOf::Ticket(ticket) => Ok(ticket),
        PlaceOf::User(sale, user) => {
            sale_of(app, &LineOf::Sale(sale)).await?;
            let found = app.waiting_rooms.find(sale, &user).await?;
            found.ok_or_else(|| Problem::plain(kind::NOT_IN_QUEUE))
        }
    }
}

/// The ticket that is meant, of a sale that has a line.
async fn waiting(app: &App, place: PlaceOf) -> Result<Ticket, Problem> {
    let ticket = ticket_of(app, place).await?;
    if has_room(app, &ticket) { Ok(ticket) } else { Err(Problem::plain(kind::NO_WAITING_ROOM)) }
}

/// Whether the sale of a ticket has a waiting room. Of one that memory does not know, the line says what became
/// of it.
pub fn has_room(app: &App, ticket: &Ticket) -> bool {
    let catalogue = app.boards.catalogue.current();
    let sale = catalogue.as_ref().and_then(|known| known.sale(ticket.sale_id));
    sale.is_none_or(|sale| sale.waiting_room.is_some())
}

/// Where the owner of a ticket stands, as they are shown it. That they ask says that they are there.
pub async fn view(app: &App, ticket: &Ticket) -> Result<PlaceView, Problem> {
    let rooms = &app.waiting_rooms;
    rooms.hear(ticket);
    let state = rooms.state(ticket.sale_id).await?;
    let place = rooms.place_in(&state, ticket).await?;
    view_in(app, ticket, rooms.seal_ticket(ticket)?, (&state, &place))
}

/// The same of a place that is known, with the text of its ticket.
pub fn view_in(
    app: &App,
    ticket: &Ticket,
    text: String,
    (state, place): (&RoomState, &Place),
) -> Result<PlaceView, Problem> {
    let pass = match place {
        Place::Inside(pass) => Some(app.waiting_rooms.seal_pass(pass)?),
        _ => None,
    };
    let catalogue = app.boards.catalogue.current();
    let product = catalogue.and_then(|known| known.sale(ticket.sale_id).map(|s| s.product_id));
    let product = product.ok_or(SaleError::NoSuchSale)?;
    Ok(PlaceView::new(ticket, text, product, (state, place), pass, app.clock.now()))
}

async fn answer(app: &App, ticket: &Ticket) -> Result<Response, Problem> {
    let view = view(app, ticket).await?;
    // A third of the patience: two answers may be lost.
    let again = (view.patience_seconds / 3).clamp(1, 15);
    let mut headers = HeaderMap::new();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(again));
    if let Ok(ticket) = HeaderValue::try_from(view.ticket.as_str()) {
        headers.insert(X_QUEUE_TICKET, ticket);
    }
    Ok((headers, Json(view)).into_response())
}
