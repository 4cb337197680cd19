//! Holding units while the buyer pays.

use shared::domain::Reason;

use crate::support::{HELD, SOLD, SOLD_OUT, World, both_families, buy, hold};

both_families!(
    a_hold_reserves_its_units_until_it_expires,
    a_user_holds_a_product_once,
    a_holder_may_still_buy,
);

async fn a_hold_reserves_its_units_until_it_expires(world: &World) {
    let product = world.product("TV", 3, None).await;
    let purchase = hold(product, "ann", 2);
    let batch = [purchase.clone(), buy(product, "bob", 2), buy(product, "cat", 1)];
    assert_eq!(world.outcomes(&batch).await, [HELD, SOLD_OUT, SOLD]);
    assert_eq!(world.stock(product).await, (3, 2, 1, 2));
    let order = world.order(purchase.id).await;
    let decided_at = order.decided_at.unwrap();
    assert_eq!(order.expires_at, Some(decided_at.plus_millis(600_000)));
}

async fn a_user_holds_a_product_once(world: &World) {
    let (tv, pc) = (world.product("TV", 9, None).await, world.product("PC", 9, None).await);
    let batch = [hold(tv, "ann", 1), hold(tv, "ann", 1), hold(pc, "ann", 1), hold(tv, "bob", 1)];
    let held = Err(Reason::AlreadyReserved);
    assert_eq!(world.outcomes(&batch).await, [HELD, held, HELD, HELD]);
    assert_eq!(world.outcomes(&[hold(tv, "ann", 1), hold(pc, "bob", 1)]).await, [held, HELD]);
}

async fn a_holder_may_still_buy(world: &World) {
    let product = world.product("TV", 9, None).await;
    world.record(&[hold(product, "ann", 1)]).await;
    assert_eq!(world.outcomes(&[buy(product, "ann", 1)]).await, [SOLD]);
    assert_eq!(world.stock(product).await, (9, 1, 1, 3));
}
