//! What is asked of an order, beside where it stands: what happens next?

use super::{Act, Late, Refusal};
use crate::domain::ids::PaymentRef;
use crate::domain::order::{Order, Reason, Status};
use crate::domain::time::Timestamp;
use crate::domain::tracking::TrackingId;
use crate::domain::transition::Cause;

/// What an act means for an order where it stands.
pub(super) enum Move {
    /// It is done already, or concerns nobody any more.
    Stays,
    /// By the table.
    To(Status, Cause),
    /// A payment became known that changes nothing but this.
    NotePayment(PaymentRef),
    /// The money of this transaction is due back.
    Refund(PaymentRef),
    /// The units went back before the money came.
    Reclaim(PaymentRef, TrackingId),
}

pub(super) fn meaning(order: &Order, act: &Act, now: Timestamp) -> Result<Move, Refusal> {
    match act {
        Act::Checkout { payment, .. } => checkout(order, &payment.reference, now),
        Act::Paid { reference, late } => Ok(paid(order, reference, *late)?),
        Act::Declined { reference, keep_hold } => Ok(declined(order, reference, *keep_hold, now)),
        Act::Release | Act::Cancel => cancel(order, *act == Act::Cancel),
        Act::Fulfil if order.status == Status::Fulfilled => Ok(Move::Stays),
        Act::Fulfil => Ok(Move::To(Status::Fulfilled, Cause::Fulfil)),
        Act::Discard if order.reason == Some(Reason::Discarded) => Ok(Move::Stays),
        Act::Discard => Ok(Move::To(Status::Rejected, Cause::Discard)),
        Act::Expire => Ok(expire(order, now)),
    }
}

fn checkout(order: &Order, reference: &PaymentRef, now: Timestamp) -> Result<Move, Refusal> {
    let known = order.payment.as_ref().is_some_and(|payment| payment.reference == *reference);
    match order.status {
        Status::Expired => Err(Refusal::Expired),
        Status::Reserved if order.expires_at.is_some_and(|end| end <= now) => Err(Refusal::Expired),
        Status::Reserved => Ok(Move::To(Status::Pending, Cause::Checkout)),
        // The same checkout again: its client did not hear the answer.
        Status::Pending | Status::Confirmed | Status::Fulfilled | Status::Failed if known => {
            Ok(Move::Stays)
        }
        from => Err(Refusal::Invalid { from, to: Status::Pending }),
    }
}

fn paid(order: &Order, reference: &PaymentRef, late: Late) -> Result<Move, Refusal> {
    let refunded = order.refund.as_ref().is_some_and(|due| due.references.contains(reference));
    if refunded {
        return Ok(Move::Stays);
    }
    let theirs = order.payment.as_ref().map(|payment| payment.reference == *reference);
    Ok(match (order.status, theirs) {
        (Status::Queued | Status::Parked, _) => {
            return Err(Refusal::Invalid { from: order.status, to: Status::Confirmed });
        }
        (Status::Reserved | Status::Pending, Some(true) | None) => {
            Move::To(Status::Confirmed, Cause::Payment)
        }
        (Status::Confirmed | Status::Fulfilled, Some(true)) => Move::Stays,
        (Status::Confirmed | Status::Fulfilled, None) => Move::NotePayment(reference.clone()),
        (Status::Expired | Status::Failed, _) => match late {
            Late::Reclaim(id) => Move::Reclaim(reference.clone(), id),
            Late::Refund => Move::Refund(reference.clone()),
        },
        // Paid twice over, or for something that was given back.
        _ => Move::Refund(reference.clone()),
    })
}

fn declined(order: &Order, reference: &PaymentRef, keep_hold: bool, now: Timestamp) -> Move {
    let theirs = order.payment.as_ref().is_some_and(|payment| payment.reference == *reference);
    if order.status != Status::Pending || !theirs {
        return Move::Stays;
    }
    if keep_hold && order.expires_at.is_some_and(|end| end > now) {
        Move::To(Status::Reserved, Cause::KeepHold)
    } else {
        Move::To(Status::Failed, Cause::Refusal)
    }
}

fn cancel(order: &Order, sold_too: bool) -> Result<Move, Refusal> {
    match order.status {
        Status::Cancelled => Ok(Move::Stays),
        Status::Confirmed if !sold_too => {
            Err(Refusal::Invalid { from: Status::Confirmed, to: Status::Cancelled })
        }
        _ => Ok(Move::To(Status::Cancelled, Cause::Cancel)),
    }
}

fn expire(order: &Order, now: Timestamp) -> Move {
    let passed = |deadline: Option<Timestamp>| deadline.is_some_and(|at| at <= now);
    match order.status {
        Status::Reserved if passed(order.expires_at) => Move::To(Status::Expired, Cause::Sweep),
        Status::Pending if passed(order.pay_by) => Move::To(Status::Failed, Cause::Refusal),
        _ => Move::Stays,
    }
}
