//! Units per user.

use shared::domain::Reason;
use shared::domain::testing::sale;

use crate::support::{OPENS, SOLD, World, both_families, buy, buy_in, hold};

both_families!(
    a_limit_holds_in_a_batch_and_across_batches,
    a_limit_of_one_says_that_it_was_bought,
    a_limit_set_later_counts_what_was_bought_before,
    a_limit_that_was_lifted_counts_what_was_bought_meanwhile,
    a_sale_has_a_limit_of_its_own,
    held_units_count,
);

async fn a_limit_holds_in_a_batch_and_across_batches(world: &World) {
    let product = world.product("TV", 100, Some(3)).await;
    let batch = [buy(product, "ann", 2), buy(product, "ann", 2), buy(product, "bob", 3)];
    assert_eq!(world.outcomes(&batch).await, [SOLD, Err(Reason::LimitReached), SOLD]);
    let batch = [buy(product, "ann", 1), buy(product, "ann", 1), buy(product, "bob", 1)];
    let full = Err(Reason::LimitReached);
    assert_eq!(world.outcomes(&batch).await, [SOLD, full, full]);
}

async fn a_limit_of_one_says_that_it_was_bought(world: &World) {
    let product = world.product("TV", 100, Some(1)).await;
    let batch = [buy(product, "ann", 2), buy(product, "ann", 1), buy(product, "ann", 1)];
    let expected = [Err(Reason::LimitReached), SOLD, Err(Reason::AlreadyPurchased)];
    assert_eq!(world.outcomes(&batch).await, expected);
    assert_eq!(world.outcomes(&[buy(product, "ann", 1)]).await, [Err(Reason::AlreadyPurchased)]);
}

async fn a_limit_set_later_counts_what_was_bought_before(world: &World) {
    let product = world.product("TV", 100, None).await;
    let other = world.product("PC", 100, None).await;
    world.record(&[buy(product, "ann", 2), buy(product, "bob", 1), buy(other, "bob", 9)]).await;
    world.limit(product, Some(2)).await;
    let batch = [buy(product, "ann", 1), buy(product, "bob", 1), buy(product, "bob", 1)];
    let full = Err(Reason::LimitReached);
    assert_eq!(world.outcomes(&batch).await, [full, SOLD, full]);
}

async fn a_limit_that_was_lifted_counts_what_was_bought_meanwhile(world: &World) {
    let product = world.product("TV", 100, Some(2)).await;
    world.record(&[buy(product, "ann", 2)]).await;
    world.limit(product, None).await;
    assert_eq!(world.outcomes(&[buy(product, "ann", 2)]).await, [SOLD]);
    world.limit(product, Some(5)).await;
    let batch = [buy(product, "ann", 1), buy(product, "ann", 1)];
    assert_eq!(world.outcomes(&batch).await, [SOLD, Err(Reason::LimitReached)]);
}

async fn a_sale_has_a_limit_of_its_own(world: &World) {
    let product = world.product("TV", 100, Some(5)).await;
    let mut first = sale(1, product.0, OPENS, OPENS + 1_000);
    first.per_user_limit = Some(1);
    let second = sale(2, product.0, OPENS + 1_000, OPENS + 2_000);
    world.sale(first.clone()).await;
    world.sale(second.clone()).await;
    let batch = [buy_in(&first, "ann"), buy_in(&first, "ann"), buy_in(&second, "ann")];
    assert_eq!(world.outcomes(&batch).await, [SOLD, Err(Reason::AlreadyPurchased), SOLD]);
    let batch = [buy_in(&first, "ann"), buy_in(&second, "ann"), buy(product, "ann", 5)];
    assert_eq!(world.outcomes(&batch).await, [Err(Reason::AlreadyPurchased), SOLD, SOLD]);
}

async fn held_units_count(world: &World) {
    let product = world.product("TV", 100, Some(1)).await;
    world.record(&[hold(product, "ann", 1)]).await;
    assert_eq!(world.outcomes(&[buy(product, "ann", 1)]).await, [Err(Reason::AlreadyReserved)]);
    world.limit(product, None).await;
    world.limit(product, Some(2)).await;
    let batch = [buy(product, "ann", 1), buy(product, "ann", 1)];
    assert_eq!(world.outcomes(&batch).await, [SOLD, Err(Reason::LimitReached)]);
}
