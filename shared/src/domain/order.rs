//! The order: one aggregate, one ID, one state machine.
//!
//! A purchase is an order from the first moment on: its tracking ID is its order ID. Its whole life
//! is the table [`TRANSITIONS`](super::transition::TRANSITIONS); everything else asks that table.

use serde::{Deserialize, Serialize};

use super::ids::PaymentRef;
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

/// How an order is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The payment provider's name of the transaction.
    pub reference: PaymentRef,
    /// The means of payment, as the shop calls it.
    pub method: Option<Box<str>>,
    /// Where to ship, a JSON object as the shop sent it.
    pub shipping_address: Option<Box<str>>,
}

impl Payment {
    /// A payment of which only the provider's name is known.
    pub fn of(reference: PaymentRef) -> Self {
        Self { reference, method: None, shipping_address: None }
    }
}

/// Money that has to go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Since when, by the ledger's clock.
    pub due_at: Timestamp,
    /// The transactions to be refunded: mostly one.
    pub references: Vec<PaymentRef>,
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
    /// When the hold ends, by the ledger's clock; kept when it has ended, so that a hold can be told
    /// from a purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// While pending: when the payment must be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_by: Option<Timestamp>,
    /// The expired or failed hold whose late payment this order honours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaims: Option<TrackingId>,
    /// How it is or was paid, where a payment is known. Not announced to other instances.
    #[serde(skip)]
    pub payment: Option<Box<Payment>>,
    /// Payments that have to go back. Not announced to other instances.
    #[serde(skip)]
    pub refund: Option<Box<Refund>>,
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
            pay_by: None,
            reclaims: None,
            payment: None,
            refund: None,
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
