//! What operators do to products and sales.

use super::ledger::LedgerError;
use crate::domain::room::RoomRules;
use crate::domain::{Money, Phase, Product, ProductRef, Sale, SaleId, Sku, Timestamp};

/// A product to be added, with its first stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProduct {
    /// The shop's own name of it.
    pub sku: Sku,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Where the shop files it.
    pub category: String,
    /// A picture.
    pub image_url: Option<String>,
    /// What it costs.
    pub price: Money,
    /// Units one user may buy outside sales.
    pub per_user_limit: Option<u32>,
    /// Units there are.
    pub total: i64,
}

/// Changes to a product; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductChange {
    /// What it is called.
    pub name: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// What it costs, in minor units of its currency.
    pub price_minor: Option<i64>,
    /// Whether it is sold.
    pub active: Option<bool>,
    /// Units one user may buy outside sales; `Some(None)` removes the limit.
    pub per_user_limit: Option<Option<u32>>,
}

impl ProductChange {
    /// The product that `old` becomes.
    pub fn applied_to(&self, old: &Product) -> Product {
        Product {
            name: self.name.clone().unwrap_or_else(|| old.name.clone()),
            description: self.description.clone().unwrap_or_else(|| old.description.clone()),
            price: Money { minor: self.price_minor.unwrap_or(old.price.minor), ..old.price },
            active: self.active.unwrap_or(old.active),
            per_user_limit: self.per_user_limit.unwrap_or(old.per_user_limit),
            ..old.clone()
        }
    }
}

/// A sale to be planned. The ledger refuses one that begins in the past by no rule: it is live then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSale {
    /// What it sells.
    pub product: ProductRef,
    /// What a unit costs in it, in minor units of the product's currency.
    pub price_minor: i64,
    /// Opens at this moment.
    pub starts_at: Timestamp,
    /// Closes just before this moment, which is later.
    pub ends_at: Timestamp,
    /// Units one user may buy in it.
    pub per_user_limit: Option<u32>,
    /// Length of a hold.
    pub hold_seconds: Option<u32>,
    /// Units it may sell.
    pub quantity: Option<i64>,
    /// How its waiting room lets people in, where it has one; then there must be a limit per user.
    pub waiting_room: Option<RoomRules>,
}

/// Changes to a sale; `None` leaves a field as it is, `Some(None)` removes a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaleChange {
    /// What a unit costs in it, in minor units.
    pub price_minor: Option<i64>,
    /// When it opens; only before it has.
    pub starts_at: Option<Timestamp>,
    /// When it closes.
    pub ends_at: Option<Timestamp>,
    /// Units one user may buy in it.
    pub per_user_limit: Option<Option<u32>>,
    /// Length of a hold.
    pub hold_seconds: Option<Option<u32>>,
    /// Units it may sell; not fewer than it has.
    pub quantity: Option<Option<i64>>,
    /// How its waiting room lets people in.
    pub waiting_room: Option<Option<RoomRules>>,
}

impl SaleChange {
    /// The sale that `old` becomes at `now`, or why it cannot.
    pub fn applied_to(&self, old: &Sale, now: Timestamp) -> Result<Sale, LedgerError> {
        let phase = old.phase(now);
        let moved = self.starts_at.is_some_and(|at| at != old.starts_at);
        match phase {
            Phase::Ended | Phase::Cancelled => return Err(LedgerError::SaleFixed(phase)),
            Phase::Live if moved => return Err(LedgerError::SaleFixed(phase)),
            Phase::Live | Phase::Upcoming => {}
        }
        Ok(Sale {
            price: Money { minor: self.price_minor.unwrap_or(old.price.minor), ..old.price },
            starts_at: self.starts_at.unwrap_or(old.starts_at),
            ends_at: self.ends_at.unwrap_or(old.ends_at),
            per_user_limit: self.per_user_limit.unwrap_or(old.per_user_limit),
            hold_seconds: self.hold_seconds.unwrap_or(old.hold_seconds),
            quantity: self.quantity.unwrap_or(old.quantity),
            waiting_room: self.waiting_room.unwrap_or(old.waiting_room),
            ..old.clone()
        })
    }
}

/// Which sales.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleQuery {
    /// Only those in this phase.
    pub phase: Option<Phase>,
    /// Only those with a number above this one.
    pub after: SaleId,
    /// So many at most.
    pub limit: usize,
}
