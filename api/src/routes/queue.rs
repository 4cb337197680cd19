//! The state of the purchase queue.

use axum::Json;
use axum::extract::State;
use tracing::debug;

use crate::problem::{Problem, kind, responses};
use crate::state::Shared;
use crate::views::QueueView;

/// Shows the purchase queue
///
/// As it was at most a second ago.
#[utoipa::path(
    get,
    path = "/api/v1/async/queue/status",
    tag = "Operations",
    responses(
        (status = 200, description = "Depth, consumers, dead letters, oldest age", body = QueueView),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn status(State(app): State<Shared>) -> Result<Json<QueueView>, Problem> {
    let sample = app.sampler.latest().await.map_err(|error| {
        debug!(%error, "the queue's state is not known");
        Problem::new(kind::UNAVAILABLE, "The broker is away.")
    })?;
    Ok(Json(sample.into()))
}
