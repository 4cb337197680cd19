//! The order: one aggregate, one ID, one state machine.
//!
//! A purchase is an order from the first moment on: its tracking ID is its order ID. The whole
//! life of an order is the table [`TRANSITIONS`]; everything else asks that table.

use serde::{Deserialize, Serialize};

use super::purchase::{Keyed, Terms};
use super::time::Timestamp;
use super::tracking::TrackingId;

/// Declares an enum whose variants have a stable `UPPER_SNAKE` name on every wire and in the ledger.
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The variant of that name, if there is one.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named_enum! {
    /// Where an order stands.
    Status {
        /// Accepted, not yet settled: there is no row yet.
        Queued = "QUEUED",
        /// Settled and refused; see the [`Reason`].
        Rejected = "REJECTED",
        /// Could not be processed for its own sake; waits for an operator.
        Parked = "PARKED",
        /// Units are held until `expires_at`.
        Reserved = "RESERVED",
        /// Checkout began, the payment is not yet known.
        Pending = "PENDING",
        /// Sold.
        Confirmed = "CONFIRMED",
        /// The hold ran out.
        Expired = "EXPIRED",
        /// Taken back by the user or an operator.
        Cancelled = "CANCELLED",
        /// The payment was refused or never came.
        Failed = "FAILED",
        /// Shipped.
        Fulfilled = "FULFILLED",
    }
}

impl Status {
    /// No order ever leaves a terminal state.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Rejected | Self::Expired | Self::Cancelled | Self::Failed | Self::Fulfilled
        )
    }

    /// The units of such an order are held or sold.
    pub const fn takes_units(self) -> bool {
        matches!(self, Self::Reserved | Self::Pending | Self::Confirmed | Self::Fulfilled)
    }

    /// Decided is everything but waiting in the queue or for an operator.
    pub const fn is_decided(self) -> bool {
        !matches!(self, Self::Queued | Self::Parked)
    }
}

named_enum! {
    /// Why a purchase was refused.
    Reason {
        /// Too few units are available.
        OutOfStock = "OUT_OF_STOCK",
        /// The user would exceed the limit of the sale or product.
        LimitReached = "LIMIT_REACHED",
        /// The limit is one, and the user has it.
        AlreadyPurchased = "ALREADY_PURCHASED",
        /// The user already holds units of this product.
        AlreadyReserved = "ALREADY_RESERVED",
        /// Accepted before the sale opened.
        SaleNotStarted = "SALE_NOT_STARTED",
        /// Accepted after the sale closed.
        SaleEnded = "SALE_ENDED",
        /// The sale was called off before the purchase was settled.
        SaleCancelled = "SALE_CANCELLED",
        /// The product is not for sale.
        ProductInactive = "PRODUCT_INACTIVE",
        /// There is no such product.
        ProductNotFound = "PRODUCT_NOT_FOUND",
        /// The same key came with another request.
        IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
        /// A repetition of an order that stands under `replay_of`.
        Replay = "REPLAY",
        /// An operator discarded the parked purchase.
        Discarded = "DISCARDED",
    }
}

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
    row(Status::Confirmed, Status::Fulfilled, Cause::Fulfil, 0, 0),
    row(Status::Confirmed, Status::Cancelled, Cause::Cancel, 0, -1),
];

/// The row that leads from `from` to `to` by `by`, if the table allows it.
pub fn transition(from: Status, to: Status, by: Cause) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|row| row.from == from && row.to == to && row.by == by)
}

/// An order as the ledger stores it and clients are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Tracking ID, order ID and reservation ID in one.
    pub id: TrackingId,
    /// Who buys what at which price; absent while parked, when only the ID can be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// Where it stands.
    pub status: Status,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The order that this one repeats; its reader is shown that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<TrackingId>,
    /// When the purchase was accepted; rules of sales and prices count by this moment.
    pub accepted_at: Timestamp,
    /// When it was settled, by the ledger's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// When the hold ends, by the ledger's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// 0 while queued, 1 when the row is written, +1 at every transition.
    pub version: i64,
    /// The client's key, where this order owns it.
    #[serde(skip)]
    pub keyed: Option<Keyed>,
}

impl Order {
    /// What is known of an ID that was issued and has no row yet.
    pub fn queued(id: TrackingId) -> Self {
        Self {
            id,
            terms: None,
            status: Status::Queued,
            reason: None,
            replay_of: None,
            accepted_at: id.issued_at(),
            decided_at: None,
            expires_at: None,
            version: 0,
            keyed: None,
        }
    }

    /// What is stored of a purchase that could not be processed: only what its ID says.
    pub fn parked(id: TrackingId) -> Self {
        Self { status: Status::Parked, version: 1, ..Self::queued(id) }
    }
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

    #[test]
    fn names_are_stable_and_unique() {
        for &status in Status::ALL {
            assert_eq!(Status::from_name(status.as_str()), Some(status));
        }
        for &reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), Some(reason));
        }
        assert_eq!(Status::from_name("confirmed"), None);
    }
}
