//! Concluding a purchase while its client waits, for both synchronous routes.

use shared::domain::{Order, ProductId, Reason, Settled, Status};
use shared::pipeline::admit::{self, Admitted};
use tracing::error;

use crate::problem::{Problem, kind};
use crate::state::App;
use crate::views::Sold;

/// Settles a request and shows its order, or the problem of its refusal.
pub(super) async fn conclude(app: &App, request: admit::Request) -> Result<Sold, Problem> {
    app.user_limits.check(&request.user_id)?;
    match app.admitter.admit(request).await? {
        Admitted::Stored(order) => outcome(app, &order).await,
        Admitted::Purchase(purchase) => match app.concluder.conclude(purchase).await? {
            Settled::Order(order) if order.replay_of.is_some() => {
                // The key belongs to an earlier purchase, and its outcome is this one's.
                let original = app.tracker.look(order.id).await?.order;
                outcome(app, &original).await
            }
            Settled::Order(order) => outcome(app, &order).await,
            Settled::Collision => {
                // Somebody else's order has this ID: theirs to see, not this client's.
                error!("a tracking ID was issued twice");
                Err(Problem::try_again(kind::UNAVAILABLE))
            }
        },
    }
}

async fn outcome(app: &App, order: &Order) -> Result<Sold, Problem> {
    match (order.status, &order.terms) {
        (Status::Rejected, _) => {
            // A refusal always has a reason.
            let reason = order.reason.unwrap_or(Reason::Discarded);
            Err(Problem::recorded(reason, order.id))
        }
        (Status::Queued | Status::Parked, _) | (_, None) => {
            let detail = "This purchase is not decided yet. Follow it by its tracking ID.";
            let problem = Problem::new(kind::UNAVAILABLE, detail);
            Err(problem.with("trackingId", order.id.to_string()))
        }
        (_, Some(terms)) => {
            let remaining = remaining_stock(app, terms.product_id).await;
            Ok(Sold::new(order, terms, remaining))
        }
    }
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
