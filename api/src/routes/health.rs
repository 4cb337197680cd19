//! What machines ask about this instance: is it alive, is it ready, what does it measure?

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::problem::{Problem, kind, responses};
use crate::readiness::{Overall, Report};
use crate::state::Shared;
use crate::views::Alive;

/// Tells that the process is alive
///
/// Nothing else is asked: a restart would not bring a missing dependency back.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "Operations",
    responses((status = 200, description = "Alive", body = Alive))
)]
pub async fn livez() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Tells whether purchases can be accepted
///
/// Each dependency is named. 503 only without the broker, or before the catalogue and the tracking
/// key were loaded once: without Redis or PostgreSQL the 202s go on.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operations",
    responses(
        (status = 200, description = "Ready, or degraded", body = Report),
        (status = 503, description = "Purchases cannot be accepted", body = Report),
    )
)]
pub async fn readyz(State(app): State<Shared>) -> Response {
    let report = app.readiness.report(&app).await;
    if report.status != Overall::Unavailable {
        return Json(report).into_response();
    }
    let retry_after = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
    (StatusCode::SERVICE_UNAVAILABLE, retry_after, Json(report)).into_response()
}

/// Renders the metrics of this process
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Operations",
    responses(
        (status = 200, description = "Prometheus text format", body = String, content_type = "text/plain"),
        (status = "default", response = responses::Other),
    )
)]
pub async fn metrics(State(app): State<Shared>) -> Result<Response, Problem> {
    let Some(handle) = &app.metrics else {
        return Err(Problem::new(kind::NOT_FOUND, "This process collects no metrics."));
    };
    let text_format = HeaderValue::from_static("text/plain; version=0.0.4");
    Ok(([(header::CONTENT_TYPE, text_format)], handle.render()).into_response())
}
