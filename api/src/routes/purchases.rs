//! What became of purchases.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use shared::domain::{Status, TrackingId};
use shared::pipeline::track::{TrackError, Tracked};

use super::async_purchase::applied;
use crate::identity::Access;
use crate::parse::schema::TrackingIdsBody;
use crate::parse::{TrackingIds, TrackingPath, Wait};
use crate::problem::{Problem, responses};
use crate::state::{App, Shared};
use crate::views::{PurchaseList, PurchaseView};

/// Shows what became of a purchase
///
/// With `?wait=N` or `Prefer: wait=N` the answer is held back for up to N seconds, until the
/// purchase is decided: neither `QUEUED` nor `PARKED`. Whoever has the tracking ID may ask; the buyer's
/// name is shown to the buyer and to the shop.
#[utoipa::path(
    get,
    path = "/api/v1/purchases/{trackingId}",
    tag = "Purchases",
    params(
        ("trackingId" = uuid::Uuid, Path, description = "As it was given out"),
        ("wait" = Option<u64>, Query, description = "Seconds to wait for the outcome, 30 at most"),
        ("Prefer" = Option<String>, Header, description = "wait=N: the same as a preference"),
    ),
    responses(
        (status = 200, description = "What is known; `Retry-After` while it is queued", body = PurchaseView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NeverIssued),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn show(
    State(app): State<Shared>,
    access: Access,
    TrackingPath(id): TrackingPath,
    asked: Wait,
) -> Result<Response, Problem> {
    let tracked = wait(&app, id, asked.limit).await?;
    let mut headers = applied(asked);
    if tracked.order.status == Status::Queued {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    let catalogue = app.boards.catalogue.current();
    let view = PurchaseView::new(id, &tracked, catalogue.as_deref(), access.sees(&tracked.order));
    Ok((headers, Json(view)).into_response())
}

/// Shows what became of many purchases
///
/// For shops that follow many: up to 500 tracking IDs at once.
#[utoipa::path(
    post,
    path = "/api/v1/purchases/query",
    tag = "Purchases",
    request_body = TrackingIdsBody,
    responses(
        (status = 200, description = "What is known of each", body = PurchaseList),
        (status = 400, response = responses::Invalid),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn query(
    State(app): State<Shared>,
    access: Access,
    TrackingIds(ids): TrackingIds,
) -> Result<Json<PurchaseList>, Problem> {
    let catalogue = app.boards.catalogue.current();
    let mut list = PurchaseList::default();
    // Asked together, they are read together.
    let found = join_all(ids.iter().map(|&id| app.tracker.look(id))).await;
    for (id, found) in ids.into_iter().zip(found) {
        match found {
            Ok(tracked) => {
                let sees = access.sees(&tracked.order);
                let view = PurchaseView::new(id, &tracked, catalogue.as_deref(), sees);
                list.purchases.push(view);
            }
            Err(TrackError::NeverIssued) => list.unknown.push(id),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(list))
}

/// What is known of `id`, waiting for its outcome for up to `limit`, but not while the program is
/// asked to stop: a waiting client must not hold up a shutdown.
pub(super) async fn wait(
    app: &App,
    id: TrackingId,
    limit: Duration,
) -> Result<Tracked, TrackError> {
    if limit.is_zero() {
        return app.tracker.look(id).await;
    }
    tokio::select! {
        tracked = app.tracker.wait(id, limit) => tracked,
        () = app.draining.cancelled() => app.tracker.look(id).await,
    }
}
