//! A purchase: what a client asked for, stamped at acceptance with price, sale and moment.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use super::ids::{IdempotencyKey, ProductId, Quantity, SaleId, UserId};
use super::money::Money;
use super::order::{Order, Reason, Status};
use super::time::Timestamp;
use super::tracking::TrackingId;

/// Who buys what at which price. Fixed at acceptance, never changed afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// The product.
    pub product_id: ProductId,
    /// The sale that was open at acceptance, if the product sells in sales.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale_id: Option<SaleId>,
    /// The buyer.
    pub user_id: UserId,
    /// How many units.
    pub quantity: Quantity,
    /// The price of one unit at acceptance.
    pub unit_price: Money,
}

impl Terms {
    /// The same buyer, product and quantity; anything else under one ID is a collision.
    pub fn same_request(&self, other: &Self) -> bool {
        self.product_id == other.product_id
            && self.user_id == other.user_id
            && self.quantity == other.quantity
    }
}

/// What the buyer wants done with the units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Sell at once.
    Buy,
    /// Hold for so many seconds while the buyer pays.
    Hold {
        /// Length of the hold from the moment of settling.
        seconds: u32,
    },
}

/// A digest of what a request asks for, to tell a retry from another request under the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub i64);

impl Fingerprint {
    /// The digest of a request. It guards against mistakes, not against attackers (who could only
    /// confuse themselves), so the hash has a fixed key and is the same in every process.
    pub fn of(product_id: ProductId, quantity: Quantity, hold: bool) -> Self {
        let mut hasher = SipHasher24::new_with_key(b"doorbuster/fpr/1");
        hasher.write_i64(product_id.0.to_le());
        hasher.write_u32(quantity.units().to_le());
        hasher.write_u8(u8::from(hold));
        Self(hasher.finish().cast_signed())
    }
}

/// A client's key with the digest of the request it came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    /// The `Idempotency-Key`.
    pub key: IdempotencyKey,
    /// What was asked for under it.
    pub fingerprint: Fingerprint,
}

/// An accepted purchase on its way to be settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Purchase {
    /// Its tracking ID.
    pub id: TrackingId,
    /// Who buys what at which price.
    pub terms: Terms,
    /// Buy or hold.
    pub kind: Kind,
    /// When it was accepted, in the ledger's time.
    pub accepted_at: Timestamp,
    /// The client's key, if one was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyed: Option<Keyed>,
    /// The client's W3C `traceparent`, if one was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Box<str>>,
    /// Set by an operator's replay: a parked row is decided again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

impl Purchase {
    /// What it would be to buy the units of `order` anew, under `id`, as of its moment and at its
    /// price; none where its terms are not known.
    pub fn anew(order: &Order, id: TrackingId) -> Option<Self> {
        Some(Self {
            id,
            terms: order.terms.clone()?,
            kind: Kind::Buy,
            accepted_at: order.accepted_at,
            keyed: None,
            traceparent: None,
            replayed: false,
        })
    }

    /// The order that settling makes of this purchase, with this result.
    pub(super) fn decided(&self, status: Status, now: Timestamp) -> Order {
        Order {
            id: self.id,
            terms: Some(self.terms.clone()),
            status,
            reason: None,
            replay_of: None,
            accepted_at: self.accepted_at,
            decided_at: Some(now),
            version: 1,
            keyed: self.keyed.clone(),
            ..Order::queued(self.id)
        }
    }

    /// The order of a refusal.
    pub(super) fn rejected(&self, reason: Reason, now: Timestamp) -> Order {
        Order { reason: Some(reason), ..self.decided(Status::Rejected, now) }
    }
}
