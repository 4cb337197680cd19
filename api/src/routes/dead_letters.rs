//! What operators do with dead letters: look, replay, discard.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use shared::domain::Actor;
use shared::pipeline::dead_letters::{Operation, Pace};
use shared::ports::{LedgerError, LetterAct, LetterRef};
use tokio::time::Instant;
use tracing::info;

use super::operators::detached;
use crate::identity::Access;
use crate::parse::schema::LettersBody;
use crate::parse::{LetterPage, LetterPath, LettersForm};
use crate::problem::{Problem, responses};
use crate::state::{App, Shared};
use crate::views::{DeadLetterList, DeadLetterMoved, DeadLetterView, DeadLettersMoved};

/// A request for many works for so long; then it says where to go on.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lists dead letters
///
/// Those that wait for an operator, oldest first, in pages: `next` of one page is `after` of the next.
#[utoipa::path(
    get,
    path = "/api/v1/admin/dead-letters",
    tag = "Operators",
    params(
        ("state" = Option<String>, Query, description = "`open`, or `all`: those that were dealt with too"),
        ("limit" = Option<u32>, Query, description = "Letters in the page: 1 to 200, else 50"),
        ("after" = Option<i64>, Query, description = "The last letter of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = DeadLetterList),
        (status = 400, response = responses::Invalid),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn list(
    State(app): State<Shared>,
    LetterPage(mut query): LetterPage,
) -> Result<Json<DeadLetterList>, Problem> {
    let limit = query.limit;
    // One more than asked for tells whether there is a next page.
    query.limit += 1;
    let found = app.ports.ledger.letters(&query).await?;
    Ok(Json(DeadLetterList::new(found, limit)))
}

/// Shows a dead letter
///
/// With its bytes.
#[utoipa::path(
    get,
    path = "/api/v1/admin/dead-letters/{id}",
    tag = "Operators",
    params(("id" = String, Path, description = "The number of a letter, or the ID of its order")),
    responses(
        (status = 200, description = "The letter", body = DeadLetterView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchLetter),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn show(
    State(app): State<Shared>,
    LetterPath(letter): LetterPath,
) -> Result<Json<DeadLetterView>, Problem> {
    let found = app.ports.ledger.letter(letter).await?.ok_or(LedgerError::LetterNotFound)?;
    Ok(Json(DeadLetterView::shown(&found)))
}

/// Replays a dead letter
///
/// Its purchase is settled again, as of the moment at which it was accepted, at most once.
#[utoipa::path(
    post,
    path = "/api/v1/admin/dead-letters/{id}/replay",
    tag = "Operators",
    params(("id" = String, Path, description = "The number of a letter, or the ID of its order")),
    responses(
        (status = 200, description = "Its order was settled already: nothing was done", body = DeadLetterMoved),
        (status = 202, description = "In the queue again", body = DeadLetterMoved),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchLetter),
        (status = 409, response = responses::LetterConflict),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn replay(
    access: Access,
    State(app): State<Shared>,
    LetterPath(letter): LetterPath,
) -> Result<(StatusCode, Json<DeadLetterMoved>), Problem> {
    let (changed, moved) = one(&app, LetterAct::Replay, letter, &access).await?;
    Ok((if changed { StatusCode::ACCEPTED } else { StatusCode::OK }, Json(moved)))
}

/// Discards a dead letter
///
/// Its order, if it has one, is refused for good: `REJECTED`, `DISCARDED`. Once is as good as twice.
#[utoipa::path(
    post,
    path = "/api/v1/admin/dead-letters/{id}/discard",
    tag = "Operators",
    params(("id" = String, Path, description = "The number of a letter, or the ID of its order")),
    responses(
        (status = 200, description = "Discarded", body = DeadLetterMoved),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchLetter),
        (status = 409, response = responses::LetterConflict),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn discard(
    access: Access,
    State(app): State<Shared>,
    LetterPath(letter): LetterPath,
) -> Result<Json<DeadLetterMoved>, Problem> {
    one(&app, LetterAct::Discard, letter, &access).await.map(|(_, moved)| Json(moved))
}

/// Replays many dead letters
///
/// Oldest first, at a rate that leaves room for others, for up to 20 seconds; `next` says where to go on.
#[utoipa::path(
    post,
    path = "/api/v1/admin/dead-letters/replay",
    tag = "Operators",
    request_body = LettersBody,
    responses(
        (status = 200, description = "What became of them", body = DeadLettersMoved),
        (status = 400, response = responses::Invalid),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn replay_many(
    access: Access,
    State(app): State<Shared>,
    form: LettersForm,
) -> Result<Json<DeadLettersMoved>, Problem> {
    many(&app, LetterAct::Replay, form, &access).await
}

/// Discards many dead letters
///
/// For up to 20 seconds; `next` says where to go on.
#[utoipa::path(
    post,
    path = "/api/v1/admin/dead-letters/discard",
    tag = "Operators",
    request_body = LettersBody,
    responses(
        (status = 200, description = "What became of them", body = DeadLettersMoved),
        (status = 400, response = responses::Invalid),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn discard_many(
    access: Access,
    State(app): State<Shared>,
    form: LettersForm,
) -> Result<Json<DeadLettersMoved>, Problem> {
    many(&app, LetterAct::Discard, form, &access).await
}

async fn one(
    app: &Shared,
    act: LetterAct,
    letter: LetterRef,
    access: &Access,
) -> Result<(bool, DeadLetterMoved), Problem> {
    let who = access.actor();
    detached(app, move |app| async move {
        let moved = operation(&app, act, &who).one(letter).await?;
        let view = DeadLetterMoved::from(&moved);
        info!(%letter, act = act.as_str(), moved.changed, "dead letter dealt with");
        moved.announcement.into_iter().for_each(|announcement| app.spread(announcement));
        Ok((moved.changed, view))
    })
    .await
}

async fn many(
    app: &Shared,
    act: LetterAct,
    form: LettersForm,
    access: &Access,
) -> Result<Json<DeadLettersMoved>, Problem> {
    let who = access.actor();
    let LettersForm { which, after, rate } = form;
    let pace = Pace { per_second: rate, until: Some(Instant::now() + PATIENCE) };
    detached(app, move |app| async move {
        let mut moved = DeadLettersMoved::default();
        let mut see = |outcome| moved.add(outcome).into_iter().for_each(|owed| app.spread(owed));
        let done = operation(&app, act, &who).many(&which, after, pace, &mut see).await;
        let next = done.map_err(|error| Problem::from(error).with("changed", moved.changed))?;
        let moved = moved.until(next);
        info!(act = act.as_str(), moved.changed, moved.unchanged, "dead letters dealt with");
        Ok(Json(moved))
    })
    .await
}

fn operation<'a>(app: &'a App, act: LetterAct, who: &'a Actor) -> Operation<'a> {
    Operation { ledger: &*app.ports.ledger, queue: &*app.ports.queue, act, who }
}
