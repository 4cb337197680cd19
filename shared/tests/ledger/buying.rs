//! Selling what there is, in order of arrival.

use shared::domain::{ProductId, Reason};
use shared::ports::{Answer, ProductChange};

use crate::support::{SOLD, SOLD_OUT, World, both_families, buy, order_of, outcomes};

both_families!(
    a_purchase_is_confirmed_and_its_units_are_sold,
    an_order_is_stored_as_it_was_answered,
    a_batch_is_settled_in_order_of_arrival,
    a_batch_may_buy_many_products,
    a_gate_that_refuses_wrongly_is_overruled,
    a_gate_that_agrees_wrongly_oversells_nothing,
    refusals_are_recorded_too,
    an_unknown_product_is_refused,
    an_inactive_product_is_refused,
    an_empty_batch_is_nothing,
);

async fn a_purchase_is_confirmed_and_its_units_are_sold(world: &World) {
    let product = world.product("TV", 10, None).await;
    let announcement = world.announced(&[buy(product, "ann", 3)]).await;
    assert_eq!(world.stock(product).await, (10, 0, 3, 2));
    assert_eq!(announcement.levels, [world.level(product).await]);
}

async fn an_order_is_stored_as_it_was_answered(world: &World) {
    let product = world.product("TV", 10, None).await;
    let purchase = buy(product, "Zoë 'x' \\ \"y\" {,} null", 2);
    let recorded = world.record(std::slice::from_ref(&purchase)).await;
    let order = order_of(&recorded.settled[0]);
    assert_eq!(*order, world.order(purchase.id).await);
    assert_eq!(order.terms.as_ref(), Some(&purchase.terms));
    assert_eq!((order.accepted_at, order.version), (purchase.accepted_at, 1));
    assert_eq!(*recorded.announcement.unwrap().orders[0].order, *order);
}

async fn a_batch_is_settled_in_order_of_arrival(world: &World) {
    let product = world.product("TV", 3, None).await;
    let batch = [buy(product, "ann", 2), buy(product, "bob", 2), buy(product, "cat", 1)];
    // The order of arrival, not that of the IDs, which may come from different instances.
    let batch = [batch[2].clone(), batch[1].clone(), batch[0].clone()];
    assert_eq!(world.outcomes(&batch).await, [SOLD, SOLD, SOLD_OUT]);
    assert_eq!(world.stock(product).await, (3, 0, 3, 2));
}

async fn a_batch_may_buy_many_products(world: &World) {
    let (tv, pc) = (world.product("TV", 1, None).await, world.product("PC", 2, None).await);
    let batch = [buy(pc, "ann", 1), buy(tv, "ann", 1), buy(tv, "bob", 1), buy(pc, "bob", 1)];
    assert_eq!(world.outcomes(&batch).await, [SOLD, SOLD, SOLD_OUT, SOLD]);
    assert_eq!((world.stock(tv).await, world.stock(pc).await), ((1, 0, 1, 2), (2, 0, 2, 2)));
}

async fn a_gate_that_refuses_wrongly_is_overruled(world: &World) {
    let product = world.product("TV", 2, None).await;
    let batch = [buy(product, "ann", 3), buy(product, "bob", 2)];
    let recorded = world.ledger.record(&batch, &[Answer::No, Answer::No]).await.unwrap();
    assert_eq!(outcomes(&recorded), [SOLD_OUT, SOLD]);
}

async fn a_gate_that_agrees_wrongly_oversells_nothing(world: &World) {
    let product = world.product("TV", 1, None).await;
    let batch = [buy(product, "ann", 1), buy(product, "bob", 1)];
    let recorded = world.ledger.record(&batch, &[Answer::Yes, Answer::Yes]).await.unwrap();
    assert_eq!(outcomes(&recorded), [SOLD, SOLD_OUT]);
}

async fn refusals_are_recorded_too(world: &World) {
    let product = world.product("TV", 0, None).await;
    let purchase = buy(product, "ann", 1);
    let recorded =
        world.ledger.record(std::slice::from_ref(&purchase), &[Answer::No]).await.unwrap();
    assert_eq!(outcomes(&recorded), [SOLD_OUT]);
    assert_eq!(world.order(purchase.id).await.reason, Some(Reason::OutOfStock));
    // The counts did not change, so there is no level to announce and no new version.
    assert_eq!(recorded.announcement.unwrap().levels, []);
    assert_eq!(world.stock(product).await, (0, 0, 0, 1));
}

async fn an_unknown_product_is_refused(world: &World) {
    let batch = [buy(ProductId(404), "ann", 1), buy(ProductId(404), "bob", 1)];
    for answer in [Answer::Yes, Answer::No, Answer::Unknown] {
        let recorded = world.ledger.record(&batch, &[answer; 2]).await.unwrap();
        assert_eq!(outcomes(&recorded), [Err(Reason::ProductNotFound); 2]);
    }
}

async fn an_inactive_product_is_refused(world: &World) {
    let product = world.product("TV", 1, None).await;
    let change = ProductChange { active: Some(false), ..ProductChange::default() };
    world.change(product, change).await;
    assert_eq!(world.outcomes(&[buy(product, "ann", 1)]).await, [Err(Reason::ProductInactive)]);
}

async fn an_empty_batch_is_nothing(world: &World) {
    let recorded = world.record(&[]).await;
    assert!(recorded.settled.is_empty() && recorded.announcement.is_none());
}
