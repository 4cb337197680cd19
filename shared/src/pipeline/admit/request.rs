//! What a client asks for, and what may become of it before it is published.

use std::sync::Arc;

use super::quota::Quota;
use crate::domain::{
    IdempotencyKey, Order, ProductRef, Purchase, Quantity, Reason, SaleId, UserId,
};
use crate::pipeline::group_commit::LineError;
use crate::ports::LedgerError;

/// What a client asks for, parsed.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to buy.
    pub item: Item,
    /// How many units.
    pub quantity: Quantity,
    /// For whom.
    pub user_id: UserId,
    /// Buy or hold.
    pub want: Want,
    /// The client's key.
    pub key: Option<IdempotencyKey>,
    /// The pass of a waiting room, where the client has one.
    pub pass: Option<Box<str>>,
    /// The client's W3C `traceparent`.
    pub traceparent: Option<Box<str>>,
}

/// How a request names what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A product, in whichever of its sales is open.
    Product(ProductRef),
    /// The product of a sale, in this sale only.
    Sale(SaleId),
}

/// What the client wants done with the units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Buy them.
    Buy,
    /// Hold them, for as long as the sale or the configuration says.
    Hold,
}

/// A purchase that may go on.
#[derive(Debug, Clone)]
pub enum Admitted {
    /// Published, or to be settled; of a retry, exactly the purchase of the first try.
    Purchase(Purchase),
    /// A retry of an order that the ledger already has.
    Stored(Arc<Order>),
}

/// A purchase that may go on, and how its user stands with the limits.
#[derive(Debug, Clone)]
pub struct Admission {
    /// What goes on.
    pub admitted: Admitted,
    /// What is left to the user, where there is a limit.
    pub quota: Option<Quota>,
}

impl Admission {
    pub(super) fn stored(order: Arc<Order>) -> Self {
        Self { admitted: Admitted::Stored(order), quota: None }
    }
}

/// Why a purchase was not accepted. Nothing was published.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AdmitError {
    /// A rule refuses it: sold out, sale over, no such product, key reused.
    #[error("refused: {0}")]
    Refused(Reason),
    /// The sale has a waiting room, and there is no pass of it for this user.
    #[error("no pass")]
    PassRequired(SaleId),
    /// The pass was good once.
    #[error("the pass has expired")]
    PassExpired(SaleId),
    /// There is no such sale.
    #[error("no such sale")]
    NoSuchSale,
    /// The user asks for too much at once.
    #[error("over the limit of {}", .0.name)]
    Limited(Quota),
    /// Something it needs is away.
    #[error("{0}")]
    Unavailable(String),
    /// Too many wait already.
    #[error("too many purchases are waiting")]
    Overloaded,
}

impl From<LineError> for AdmitError {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Full => Self::Overloaded,
            LineError::Closed => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<LedgerError> for AdmitError {
    fn from(error: LedgerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
