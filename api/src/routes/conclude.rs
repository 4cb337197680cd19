//! Concluding a purchase while its client waits, for both synchronous routes.

use std::sync::Arc;

use axum::Json;
use shared::domain::{Order, ProductId, Reason, Settled, Status};
use shared::pipeline::admit::{self, Admitted};
use tracing::error;

use crate::limits::Stands;
use crate::problem::{Problem, kind};
use crate::state::App;
use crate::views::Sold;

/// Settles a request and shows what was sold, or the problem of its refusal.
pub(super) async fn conclude(
    app: &App,
    request: admit::Request,
) -> Result<(Stands, Json<Sold>), Problem> {
    let (stands, order) = conclude_order(app, request).await?;
    let Some(terms) = &order.terms else { return Err(undecided(&order)) };
    let remaining = remaining_stock(app, terms.product_id).await;
    Ok((stands, Json(Sold::new(&order, terms, remaining))))
}

/// Settles a request; the order where it was not refused.
pub(super) async fn conclude_order(
    app: &App,
    request: admit::Request,
) -> Result<(Stands, Arc<Order>), Problem> {
    let admission = app.admitter.admit(request, || app.concluder.room()).await?;
    let order = settle(app, admission.admitted).await?;
    Ok((Stands(admission.quota), order))
}

async fn settle(app: &App, admitted: Admitted) -> Result<Arc<Order>, Problem> {
    match admitted {
        Admitted::Stored(order) => outcome(order),
        Admitted::Purchase(purchase) => match app.concluder.conclude(purchase).await? {
            Settled::Order(order) if order.replay_of.is_some() => {
                // The key belongs to an earlier purchase, and its outcome is this one's.
                outcome(app.tracker.look(order.id).await?.order)
            }
            Settled::Order(order) => outcome(order),
            Settled::Collision => {
                // Somebody else's order has this ID: theirs to see, not this client's.
                error!("a tracking ID was issued twice");
                Err(Problem::try_again(kind::UNAVAILABLE))
            }
        },
    }
}

fn outcome(order: Arc<Order>) -> Result<Arc<Order>, Problem> {
    match order.status {
        Status::Rejected => {
            // A refusal always has a reason.
            let reason = order.reason.unwrap_or(Reason::Discarded);
            Err(Problem::recorded(reason, order.id))
        }
        Status::Queued | Status::Parked => Err(undecided(&order)),
        _ => Ok(order),
    }
}

fn undecided(order: &Order) -> Problem {
    let detail = "This purchase is not decided yet. Follow it by its tracking ID.";
    Problem::new(kind::UNAVAILABLE, detail).with("trackingId", order.id.to_string())
}

/// Units available right after. The board has this purchase's own write already; a sale must not
/// fail because they cannot be counted.
async fn remaining_stock(app: &App, product: ProductId) -> Option<i64> {
    let level = match app.boards.stock.newest(product) {
        Some(level) => Some(level),
        None => app.levels.of(product).await.ok().map(|seen| seen.level),
    };
    level.map(|level| level.counts.available())
}
