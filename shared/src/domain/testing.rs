//! Makers of values for tests, shared by the tests of every room.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used)] // A panic is how a test fails.

use uuid::Uuid;

use super::catalogue::{Product, Sale};
use super::identity::Actor;
use super::ids::{ProductId, Quantity, SaleId, Sku, UserId};
use super::money::{Currency, Money};
use super::purchase::{Fingerprint, Keyed, Kind, Purchase, Terms};
use super::time::Timestamp;
use super::tracking::TrackingId;
use super::{IdempotencyKey, Minter, TrackingKey};

/// The key that test IDs are signed with.
pub fn tracking_key() -> TrackingKey {
    TrackingKey::new(*b"a key for tests.")
}

/// A fresh, verifiable ID, issued now.
#[allow(clippy::disallowed_methods)] // Tests that share a server need IDs that differ between runs.
pub fn fresh_id() -> TrackingId {
    static MINTER: std::sync::OnceLock<Minter> = std::sync::OnceLock::new();
    let minter = MINTER.get_or_init(|| Minter::new(tracking_key(), rand::random()));
    minter.mint(chrono::Utc::now().into())
}

/// A fixed, readable ID; it verifies with no key.
pub fn id(n: u128) -> TrackingId {
    TrackingId(Uuid::from_u128(n << 80 | 8 << 76 | 0b10 << 62))
}

/// Who does what operators do.
pub fn tester() -> Actor {
    Actor::local("tester")
}

/// `user` buys `units` of product 1, under the fixed ID `n`.
pub fn purchase(n: u128, user: &str, units: u32) -> Purchase {
    purchase_of(id(n), 1, user, units)
}

/// `user` buys `units` of `product`.
pub fn purchase_of(id: TrackingId, product: i64, user: &str, units: u32) -> Purchase {
    Purchase {
        id,
        terms: Terms {
            product_id: ProductId(product),
            sale_id: None,
            user_id: UserId::parse(user).unwrap(),
            quantity: Quantity::parse(i64::from(units), u32::MAX).unwrap(),
            unit_price: Money { minor: 99_999, currency: Currency::USD },
        },
        kind: Kind::Buy,
        accepted_at: Timestamp::from_millis(1_700_000_000_000),
        keyed: None,
        traceparent: None,
        replayed: false,
    }
}

/// The same purchase under an idempotency key.
#[must_use]
pub fn with_key(mut purchase: Purchase, key: &str) -> Purchase {
    let terms = &purchase.terms;
    let fingerprint = Fingerprint::of(terms.product_id, terms.quantity, purchase.kind != Kind::Buy);
    purchase.keyed = Some(Keyed { key: IdempotencyKey::parse(key).unwrap(), fingerprint });
    purchase
}

/// A product that is for sale without a limit.
pub fn product(id: i64) -> Product {
    Product {
        id: ProductId(id),
        sku: Sku::parse(format!("SKU-{id}")).unwrap(),
        name: format!("Product {id}"),
        description: String::new(),
        category: String::new(),
        image_url: None,
        price: Money { minor: 99_999, currency: Currency::USD },
        per_user_limit: None,
        active: true,
    }
}

/// A sale without limits between two moments in milliseconds.
pub fn sale(id: i64, product: i64, starts: i64, ends: i64) -> Sale {
    Sale {
        id: SaleId(id),
        product_id: ProductId(product),
        price: Money { minor: 49_999, currency: Currency::USD },
        starts_at: Timestamp::from_millis(starts),
        ends_at: Timestamp::from_millis(ends),
        per_user_limit: None,
        hold_seconds: None,
        waiting_room: None,
        quantity: None,
        taken: 0,
        cancelled: false,
    }
}
