//! What an audit finds: contradictions, each with the invariant that it breaks
//! (`docs/reliability.md`).

use serde::Serialize;

use crate::domain::{ProductId, SaleId, TrackingId};
use crate::ports::{NAMED_MAX, Named};

/// A kind of contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A count of the inventory is negative.
    NotConserved,
    /// Orders hold and bought more than there ever was.
    Oversold,
    /// The gate has other units than the ledger, also two seconds later.
    GateDiffers,
    /// The gate has a version that the ledger does not have, so it takes nothing from it.
    GateAhead,
    /// What a limit counts is not what the buyer's orders say.
    BuyersDiffer,
    /// What a sale's quantity counts is not what its orders say.
    SalesDiffer,
    /// An instance shows other stock than the ledger has, also two seconds later.
    BoardDiffers,
    /// An instance shows a version that the ledger does not have.
    BoardAhead,
    /// What commits owe has been waiting for longer than any sweep takes.
    OutboxWaits,
    /// An order is parked and no letter is kept for an operator.
    LetterMissing,
    /// The inventory is not what orders and stock movements add up to.
    OrdersDiffer,
}

impl Kind {
    /// The invariant that it breaks.
    pub const fn invariant(self) -> &'static str {
        match self {
            Self::NotConserved => "I1",
            Self::Oversold => "I2",
            Self::GateDiffers | Self::GateAhead => "I3",
            Self::BuyersDiffer | Self::SalesDiffer => "I9",
            Self::BoardDiffers | Self::BoardAhead | Self::OutboxWaits => "I10",
            Self::LetterMissing => "I12",
            Self::OrdersDiffer => "I13",
        }
    }

    /// The same in words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::NotConserved => "the inventory does not add up",
            Self::Oversold => "more was sold than there is",
            Self::GateDiffers => "the gate is not what the ledger has",
            Self::GateAhead => "the gate is ahead of the ledger (was it restored?)",
            Self::BuyersDiffer => "what a limit counts is not what the orders say",
            Self::SalesDiffer => "what a sale counts is not what the orders say",
            Self::BoardDiffers => "an instance shows other stock than the ledger has",
            Self::BoardAhead => "an instance is ahead of the ledger (was it restored?)",
            Self::OutboxWaits => "what commits owe is not announced",
            Self::LetterMissing => "a parked order has no letter",
            Self::OrdersDiffer => "the inventory is not what the orders say",
        }
    }
}

/// One contradiction: whose, and the two numbers that should be one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// Which instance of the API shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    /// The sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sale_id: Option<SaleId>,
    /// The buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<TrackingId>,
    /// What was compared, such as `sold`.
    pub what: &'static str,
    /// What was found.
    pub found: i64,
    /// What it should be.
    pub expected: i64,
}

impl Case {
    /// A number that should be another.
    pub fn new(what: &'static str, found: i64, expected: i64) -> Self {
        Self { what, found, expected, ..Self::default() }
    }

    /// The same of a product.
    pub fn of(product: ProductId, what: &'static str, found: i64, expected: i64) -> Self {
        Self { product_id: Some(product), ..Self::new(what, found, expected) }
    }
}

/// All contradictions of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The invariant that they break.
    pub invariant: &'static str,
    /// What they are.
    pub kind: Kind,
    /// How many there are.
    pub count: i64,
    /// The first hundred of them.
    pub cases: Vec<Case>,
}

impl Finding {
    /// All `cases`, where there are any.
    pub fn all(kind: Kind, mut cases: Vec<Case>) -> Option<Self> {
        let count = i64::try_from(cases.len()).unwrap_or(i64::MAX);
        cases.truncate(NAMED_MAX);
        Self::counted(kind, count, cases)
    }

    /// What the ledger has counted, where there is any.
    pub fn of<T>(kind: Kind, found: &Named<T>, case: impl FnMut(&T) -> Case) -> Option<Self> {
        Self::counted(kind, found.count, found.first.iter().map(case).collect())
    }

    /// `count` contradictions, of which these are named.
    pub fn counted(kind: Kind, count: i64, cases: Vec<Case>) -> Option<Self> {
        (count > 0).then(|| Self { invariant: kind.invariant(), kind, count, cases })
    }
}
