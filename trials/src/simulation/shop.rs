//! What is sold.

use std::sync::Arc;

use fastrand::Rng;
use shared::domain::testing::tester;
use shared::domain::{Currency, Money, ProductRef, Sku};
use shared::ports::{Ledger, NewProduct, NewSale};

use crate::crowd::Shop;
use crate::world::World;

/// Longer than any life.
const FOR_EVER_MS: i64 = 3_600_000;
/// Few enough to meet their limits.
pub(super) const USERS: u32 = 12;
/// That the operator brings at once.
const UNITS_MAX: i64 = 5;

/// Fills the shelves: a product without rules, one under a limit, one in a sale with both.
pub(super) async fn open(world: &Arc<World>, rng: &mut Rng) -> Shop {
    let price = Money { minor: 1_000, currency: Currency::USD };
    let mut products = vec![];
    for (name, per_user_limit) in [("free", None), ("limited", Some(2)), ("sale", None)] {
        let Ok(sku) = Sku::parse(name) else { continue };
        let new = NewProduct {
            sku,
            name: name.into(),
            description: String::new(),
            category: String::new(),
            image_url: None,
            price,
            per_user_limit,
            total: rng.i64(1..=15),
        };
        if let Ok((product, _)) = world.ledger.create_product(&new, &tester()).await {
            products.push(product.id);
        }
    }
    let opens_ms = rng.i64(-1_000..3_000);
    let sale = NewSale {
        product: ProductRef::Id(products[2]),
        price_minor: 500,
        starts_at: world.now().plus_millis(opens_ms),
        ends_at: world.now().plus_millis(FOR_EVER_MS),
        per_user_limit: Some(1),
        hold_seconds: Some(2),
        waiting_room: None,
        quantity: Some(rng.i64(1..=8)),
    };
    let planned = world.ledger.create_sale(&sale, &tester()).await;
    world.trace(format_args!("{:?}", planned.map(|(sale, _)| sale)));
    world.watch_stock();
    Shop { products, users: USERS, units: UNITS_MAX }
}
