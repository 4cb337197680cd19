//! What the ledger finds of itself, where hands have changed what no transaction would.

use shared::adapters::embedded::Tamper;
use shared::domain::testing::{id, sale};
use shared::domain::{Counts, UserId};
use shared::ports::{BuyerMiscount, LedgerAudit, NAMED_MAX, Named, SaleMiscount};

use crate::support::{OPENS, World, buy, buy_in, families, hold};

// Afterwards history does not add up: that is what they are about.
families!(
    nothing_is_found_where_nothing_was_changed,
    counts_without_an_order_are_found,
    a_buyer_who_is_miscounted_is_found,
    a_sale_that_is_miscounted_is_found,
    a_parked_order_without_a_letter_is_found,
    what_is_found_is_counted_and_the_first_are_named,
);

impl World {
    async fn audit(&self) -> LedgerAudit {
        self.ledger.audit().await.unwrap()
    }
}

fn one<T>(found: T) -> Named<T> {
    Named { count: 1, first: vec![found] }
}

async fn nothing_is_found_where_nothing_was_changed(world: &World) {
    let product = world.product("TV", 100, Some(5)).await;
    let capped = sale(1, product.0, OPENS, OPENS + 1_000);
    world
        .sale(shared::domain::Sale { per_user_limit: Some(2), quantity: Some(9), ..capped.clone() })
        .await;
    world.record(&[buy(product, "ann", 2), hold(product, "bob", 1), buy_in(&capped, "ann")]).await;
    let audit = world.audit().await;
    assert_eq!((audit.buyers, audit.sales), (Named::default(), Named::default()));
    assert_eq!((audit.parked, audit.unkept), (0, Named::default()));
    assert_eq!(audit.dues, 1);
    assert!(audit.oldest_due_ms >= 0);
}

async fn counts_without_an_order_are_found(world: &World) {
    let product = world.product("TV", 100, None).await;
    world.record(&[buy(product, "ann", 2)]).await;
    world.tamper(Tamper::Counts(product, Counts { total: 100, reserved: 1, sold: 4 })).await;
    let audit = world.audit().await.products.remove(0);
    assert_eq!(audit.level.counts, Counts { total: 100, reserved: 1, sold: 4 });
    assert_eq!(audit.recomputed, Counts { total: 100, reserved: 0, sold: 2 });
}

async fn a_buyer_who_is_miscounted_is_found(world: &World) {
    let product = world.product("TV", 100, Some(5)).await;
    let limited = sale(1, product.0, OPENS, OPENS + 1_000);
    world.sale(shared::domain::Sale { per_user_limit: Some(2), ..limited.clone() }).await;
    world.record(&[buy(product, "ann", 2), buy_in(&limited, "ann")]).await;
    let tamper = async |sale_id, user: &str, units| {
        let buyer = (product, sale_id, UserId::parse(user).unwrap());
        world.tamper(Tamper::Bought(buyer, units)).await;
    };
    let found = |sale_id, user: &str, counted, ordered| BuyerMiscount {
        product_id: product,
        sale_id,
        user_id: user.into(),
        counted,
        ordered,
    };
    tamper(None, "ann", 7).await;
    assert_eq!(world.audit().await.buyers, one(found(None, "ann", 7, 2)));
    tamper(None, "ann", 0).await;
    assert_eq!(world.audit().await.buyers, one(found(None, "ann", 0, 2)));
    tamper(None, "ann", 2).await;
    // Somebody without orders: nothing counted is the same as no row.
    tamper(None, "eve", 0).await;
    assert_eq!(world.audit().await.buyers, Named::default());
    tamper(Some(limited.id), "Zoë", 3).await;
    tamper(None, "eve", 1).await;
    let both = vec![found(None, "eve", 1, 0), found(Some(limited.id), "Zoë", 3, 0)];
    assert_eq!(world.audit().await.buyers, Named { count: 2, first: both });
    // Nobody counts where there is no limit.
    world.limit(product, None).await;
    assert_eq!(world.audit().await.buyers, one(found(Some(limited.id), "Zoë", 3, 0)));
}

async fn a_sale_that_is_miscounted_is_found(world: &World) {
    let product = world.product("TV", 100, None).await;
    let capped = sale(1, product.0, OPENS, OPENS + 1_000);
    world.sale(shared::domain::Sale { quantity: Some(9), ..capped.clone() }).await;
    let open = sale(2, product.0, OPENS + 1_000, OPENS + 2_000);
    world.sale(shared::domain::Sale { quantity: None, ..open.clone() }).await;
    world.record(&[buy_in(&capped, "ann"), buy_in(&open, "bob")]).await;
    world.tamper(Tamper::Taken(capped.id, 4)).await;
    let found = SaleMiscount { sale_id: capped.id, product_id: product, counted: 4, ordered: 1 };
    assert_eq!(world.audit().await.sales, one(found));
}

async fn a_parked_order_without_a_letter_is_found(world: &World) {
    world.tamper(Tamper::ParkWithoutLetter(id(7))).await;
    let audit = world.audit().await;
    assert_eq!((audit.parked, audit.unkept), (1, one(id(7))));
}

async fn what_is_found_is_counted_and_the_first_are_named(world: &World) {
    for n in 0..=NAMED_MAX as u128 {
        world.tamper(Tamper::ParkWithoutLetter(id(1 + n))).await;
    }
    let unkept = world.audit().await.unkept;
    assert_eq!((unkept.count, unkept.first.len()), (101, NAMED_MAX));
    assert!(unkept.first.is_sorted());
}
