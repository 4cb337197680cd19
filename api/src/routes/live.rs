//! What is pushed: streams of events, and the WebSocket.

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures::stream::{self, StreamExt};

use crate::identity::Access;
use crate::live::purchase::{EventId, Follower};
use crate::live::socket::{Client, open};
use crate::live::{Kind, origin, sse, stock as news};
use crate::parse::{ProductPath, TrackingPath};
use crate::problem::{Problem, kind, responses};
use crate::server::Place;
use crate::state::Shared;
use crate::views::{PurchaseView, StockEvent};

/// Streams what becomes of a purchase
///
/// Server-sent events: an event `status` now and at every change, with the purchase as its data and the version as
/// its ID (behind an `r` where the original of a replay is shown). It ends when the purchase is `CONFIRMED` or
/// terminal; who comes back for more is answered 204, and an `EventSource` then stops.
#[utoipa::path(
    get,
    path = "/api/v1/purchases/{trackingId}/events",
    tag = "Purchases",
    params(
        ("trackingId" = uuid::Uuid, Path, description = "As it was given out"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that the client has"),
    ),
    responses(
        (status = 200, description = "`event: status`, `id:` the version, `data:` as here", body = PurchaseView, content_type = "text/event-stream"),
        (status = 204, description = "The client has all there will be"),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NeverIssued),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn purchase(
    State(app): State<Shared>,
    access: Access,
    TrackingPath(id): TrackingPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let told = sse::last_event_id(&headers).and_then(EventId::parse);
    let follower = Follower::start(&app, access, id).await?;
    if told.is_some_and(|told| follower.has_nothing_for(told)) {
        return Ok(sse::nothing_more());
    }
    let seat = app.live.seat(Kind::Purchase)?;
    Ok(sse::stream(&app.live, seat, follower.events(told)))
}

/// Streams the stock of a product
///
/// Server-sent events: an event `stock` now and at every change, at most ten a second and always the newest, with
/// the version as its ID. It goes on until the client leaves.
#[utoipa::path(
    get,
    path = "/api/v1/products/{product}/stock/events",
    tag = "Products",
    params(
        ("product" = String, Path, description = "A product number or a SKU"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that the client has"),
    ),
    responses(
        (status = 200, description = "`event: stock`, `id:` the version, `data:` as here", body = StockEvent, content_type = "text/event-stream"),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchProduct),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn stock(
    State(app): State<Shared>,
    ProductPath(product): ProductPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let product = app.product(&product).await?.id;
    let seen = app.levels.of(product).await?;
    let seat = app.live.seat(Kind::Stock)?;
    let told = sse::last_event_id(&headers).and_then(|id| id.parse().ok()).unwrap_or(0);
    let first = (seen.level.version > told)
        .then(|| news::first_event(&app.boards, &app.clock, seen))
        .flatten();
    let known = seen.level.version.max(told);
    let newer = news::newer(app.live.stock.watch(&product), known);
    let events = stream::iter(first).chain(newer.map(|news| news.event.clone()));
    Ok(sse::stream(&app.live, seat, events))
}

/// Opens a WebSocket
///
/// JSON texts, version 1: `{"v":1,"event":"inventory:watch","data":{"productId":1},"id":"a"}`. Clients send
/// `inventory:watch`, `inventory:unwatch`, `purchase:watch`, `purchase:unwatch`, `queue:join`, `queue:leave` and are
/// told `inventory:update`, `order:update`, `sale:status-change`, `queue:position-update`, `error`. `docs/events.md` and
/// `docs/asyncapi.json` have it all.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "Push",
    params(
        ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "`doorbuster.v1`, and `doorbuster.bearer.` with an access token behind it where no `Authorization` can be set"),
    ),
    responses(
        (status = 101, description = "The connection is a WebSocket from now on; docs/asyncapi.json has its messages"),
        (status = 400, response = responses::Invalid),
        (status = 401, response = responses::Unauthenticated),
        (status = 403, response = responses::OtherOrigin),
        (status = 426, response = responses::UpgradeRequired),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn connect(
    State(app): State<Shared>,
    access: Access,
    place: Option<Extension<Place>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let websocket = HeaderValue::from_static("websocket");
    let asked = headers.get(header::UPGRADE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !asked.eq_ignore_ascii_case(websocket.as_bytes()) {
        return Err(Problem::plain(kind::UPGRADE_REQUIRED)
            .with_header(header::UPGRADE, websocket)
            .with_header(header::CONNECTION, HeaderValue::from_static("upgrade")));
    }
    origin::check(&headers, &app.http.cors_origins)?;
    let upgrade = upgrade.map_err(|rejection| {
        // RFC 6455, section 4.4: a wrong version is answered with the right one.
        Problem::new(kind::INVALID_REQUEST, rejection.body_text())
            .with_header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
    })?;
    let seat = app.live.seat(Kind::Socket)?;
    let place = place.map(|Extension(place)| place);
    Ok(open(upgrade, app, Client { access, seat, place }))
}
