//! What a client is told when an order does not go where it was sent.

use serde_json::json;
use shared::domain::{Refusal, Status, TrackingId};
use shared::pipeline::advance::AdvanceError;

use crate::identity::Access;
use crate::problem::{Kind, Problem, kind};
use crate::state::App;

/// By which name the client asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    /// As an order.
    Order,
    /// As a reservation.
    Reservation,
}

impl Named {
    /// What there is none of.
    pub(super) const fn not_found(self) -> Kind {
        match self {
            Self::Order => kind::ORDER_NOT_FOUND,
            Self::Reservation => kind::RESERVATION_NOT_FOUND,
        }
    }
}

/// What a client asked of an order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// The order.
    pub(super) id: TrackingId,
    /// By which name.
    pub(super) named: Named,
    /// What it was to become.
    pub(super) to: Status,
}

/// The problem of an order that did not become what it was to.
pub(super) fn refused(app: &App, access: &Access, error: AdvanceError, asked: Asked) -> Problem {
    let Asked { id, named, to } = asked;
    let refusal = match error {
        AdvanceError::Refused(refusal) => refusal,
        AdvanceError::Ledger(error) => return error.into(),
        AdvanceError::Line(error) => return error.into(),
    };
    match refusal {
        // Issued and not settled yet: it is in the queue, and will be there in a moment.
        Refusal::NotFound if app.keys.minter().is_some_and(|minter| minter.key().verify(id)) => {
            invalid(Refusal::Invalid { from: Status::Queued, to })
        }
        Refusal::NotFound | Refusal::Replay(_) => Problem::plain(named.not_found()),
        Refusal::NotYours if access.hides_others() => Problem::plain(named.not_found()),
        Refusal::NotYours => Problem::new(kind::FORBIDDEN, "It belongs to another user."),
        Refusal::Expired => {
            let detail = "The hold ran out, and its units are for sale again.";
            Problem::new(kind::RESERVATION_EXPIRED, detail).with("reservationId", id.to_string())
        }
        Refusal::Invalid { .. } => invalid(refusal),
    }
}

/// The problem of a step that the table does not have.
pub(super) fn invalid(refusal: Refusal) -> Problem {
    let problem = Problem::new(kind::INVALID_TRANSITION, refusal.to_string());
    let Refusal::Invalid { from, to } = refusal else { return problem };
    let allowed: Vec<_> = refusal.allowed().into_iter().map(Status::as_str).collect();
    let problem = problem.with("from", from.as_str()).with("to", to.as_str());
    problem.with("allowed", json!(allowed))
}
