//! The life of an order, as data.

use super::order::Status;

/// Who or what moves an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A batch was settled.
    Settle,
    /// The purchase could not be processed for its own sake.
    Park,
    /// An operator had a parked purchase settled again.
    Replay,
    /// An operator gave a parked purchase up.
    Discard,
    /// The buyer began to pay.
    Checkout,
    /// The payment succeeded.
    Payment,
    /// The payment was refused, or its deadline passed.
    Refusal,
    /// The payment was refused, and the hold lives on until it runs out.
    KeepHold,
    /// The hold ran out by the database's clock.
    Sweep,
    /// The user, or an operator for them, took it back.
    Cancel,
    /// An operator shipped it.
    Fulfil,
}

/// What a transition does to the inventory, in multiples of the order's quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Change of `reserved`: -1, 0 or +1 times the quantity.
    pub reserved: i8,
    /// Change of `sold`: -1, 0 or +1 times the quantity.
    pub sold: i8,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The state it leaves.
    pub from: Status,
    /// The state it reaches.
    pub to: Status,
    /// What brings it about.
    pub by: Cause,
    /// What the inventory gains or loses.
    pub effect: Effect,
}

const fn row(from: Status, to: Status, by: Cause, reserved: i8, sold: i8) -> Transition {
    Transition { from, to, by, effect: Effect { reserved, sold } }
}

/// The whole life of an order.
pub const TRANSITIONS: &[Transition] = &[
    row(Status::Queued, Status::Rejected, Cause::Settle, 0, 0),
    row(Status::Queued, Status::Confirmed, Cause::Settle, 0, 1),
    row(Status::Queued, Status::Reserved, Cause::Settle, 1, 0),
    row(Status::Queued, Status::Parked, Cause::Park, 0, 0),
    row(Status::Parked, Status::Rejected, Cause::Replay, 0, 0),
    row(Status::Parked, Status::Confirmed, Cause::Replay, 0, 1),
    row(Status::Parked, Status::Reserved, Cause::Replay, 1, 0),
    row(Status::Parked, Status::Rejected, Cause::Discard, 0, 0),
    row(Status::Reserved, Status::Pending, Cause::Checkout, 0, 0),
    row(Status::Reserved, Status::Confirmed, Cause::Payment, -1, 1),
    row(Status::Pending, Status::Confirmed, Cause::Payment, -1, 1),
    row(Status::Reserved, Status::Expired, Cause::Sweep, -1, 0),
    row(Status::Reserved, Status::Cancelled, Cause::Cancel, -1, 0),
    row(Status::Pending, Status::Cancelled, Cause::Cancel, -1, 0),
    row(Status::Pending, Status::Failed, Cause::Refusal, -1, 0),
    row(Status::Pending, Status::Reserved, Cause::KeepHold, 0, 0),
    row(Status::Confirmed, Status::Fulfilled, Cause::Fulfil, 0, 0),
    row(Status::Confirmed, Status::Cancelled, Cause::Cancel, 0, -1),
];

/// The states that an order in `from` may still reach in one step, each once.
pub fn reachable(from: Status) -> Vec<Status> {
    let rows = TRANSITIONS.iter().filter(|row| row.from == from);
    let mut reachable: Vec<_> = rows.map(|row| row.to).collect();
    reachable.sort_unstable();
    reachable.dedup();
    reachable
}

/// The row that leads from `from` to `to` by `by`, if the table allows it.
pub fn transition(from: Status, to: Status, by: Cause) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|row| row.from == from && row.to == to && row.by == by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_order_leaves_a_terminal_state() {
        assert!(TRANSITIONS.iter().all(|row| !row.from.is_terminal()));
    }

    #[test]
    fn every_state_can_be_reached_and_every_open_one_left() {
        for &status in Status::ALL {
            let reached = TRANSITIONS.iter().any(|row| row.to == status);
            let left = TRANSITIONS.iter().any(|row| row.from == status);
            assert!(reached || status == Status::Queued, "{status} is never reached");
            assert!(left || status.is_terminal(), "{status} is never left");
        }
    }

    /// Units of an order that its state says are taken from `available`.
    fn taken(status: Status) -> (i8, i8) {
        match status {
            Status::Reserved | Status::Pending => (1, 0),
            Status::Confirmed | Status::Fulfilled => (0, 1),
            _ => (0, 0),
        }
    }

    #[test]
    fn the_effect_of_a_row_is_the_difference_between_its_states() {
        for row in TRANSITIONS {
            let ((r0, s0), (r1, s1)) = (taken(row.from), taken(row.to));
            assert_eq!(row.effect, Effect { reserved: r1 - r0, sold: s1 - s0 }, "{row:?}");
        }
        for &status in Status::ALL {
            assert_eq!(status.takes_units(), taken(status) != (0, 0), "{status}");
        }
    }
}
