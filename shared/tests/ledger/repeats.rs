//! The same purchase, key or ID again.

use shared::domain::testing::with_key;
use shared::domain::{Reason, Settled, UserId};

use crate::support::{SOLD, SOLD_OUT, World, both_families, buy, order_of};

both_families!(
    a_redelivered_purchase_settles_once,
    a_redelivered_batch_may_bring_new_purchases,
    the_same_id_twice_in_a_batch_is_one_purchase,
    a_key_used_again_is_a_replay,
    a_key_used_again_in_the_same_batch_is_a_replay,
    a_key_with_another_request_is_refused,
    a_refused_purchase_keeps_its_key,
    keys_belong_to_their_user,
    an_order_is_found_by_its_key,
    a_foreign_id_is_a_collision_and_kept_once,
);

async fn a_redelivered_purchase_settles_once(world: &World) {
    let product = world.product("TV", 10, None).await;
    let batch = [buy(product, "ann", 1)];
    let first = world.record(&batch).await;
    let again = world.record(&batch).await;
    assert_eq!(first.settled, again.settled);
    assert_eq!(again.announcement, None);
    assert_eq!(world.stock(product).await, (10, 0, 1, 2));
}

async fn a_redelivered_batch_may_bring_new_purchases(world: &World) {
    let product = world.product("TV", 2, None).await;
    let (ann, bob) = (buy(product, "ann", 1), buy(product, "bob", 1));
    world.record(std::slice::from_ref(&ann)).await;
    let recorded = world.record(&[bob.clone(), ann, buy(product, "cat", 1)]).await;
    assert_eq!(crate::support::outcomes(&recorded), [SOLD, SOLD, SOLD_OUT]);
    let announced = recorded.announcement.unwrap().orders;
    assert_eq!(announced.len(), 2, "only what is new is announced");
    assert_eq!(announced[0].order.id, bob.id);
}

async fn the_same_id_twice_in_a_batch_is_one_purchase(world: &World) {
    let product = world.product("TV", 10, None).await;
    let purchase = buy(product, "ann", 1);
    let recorded = world.record(&[purchase.clone(), purchase.clone(), purchase]).await;
    assert_eq!(recorded.settled[0], recorded.settled[2]);
    assert_eq!(recorded.announcement.unwrap().orders.len(), 1);
    assert_eq!(world.stock(product).await, (10, 0, 1, 2));
}

async fn a_key_used_again_is_a_replay(world: &World) {
    let product = world.product("TV", 10, None).await;
    let original = with_key(buy(product, "ann", 1), "k");
    let retry = with_key(buy(product, "ann", 1), "k");
    world.record(std::slice::from_ref(&original)).await;
    assert_eq!(world.outcomes(std::slice::from_ref(&retry)).await, [Err(Reason::Replay)]);
    let stored = world.order(retry.id).await;
    assert_eq!((stored.replay_of, stored.keyed), (Some(original.id), None));
    assert_eq!(world.stock(product).await, (10, 0, 1, 2));
}

async fn a_key_used_again_in_the_same_batch_is_a_replay(world: &World) {
    let product = world.product("TV", 10, None).await;
    let retry = || with_key(buy(product, "ann", 1), "k");
    let batch = [retry(), retry(), with_key(buy(product, "ann", 2), "k")];
    let expected = [SOLD, Err(Reason::Replay), Err(Reason::IdempotencyKeyReused)];
    assert_eq!(world.outcomes(&batch).await, expected);
    assert_eq!(world.order(batch[1].id).await.replay_of, Some(batch[0].id));
}

async fn a_key_with_another_request_is_refused(world: &World) {
    let (tv, pc) = (world.product("TV", 10, None).await, world.product("PC", 10, None).await);
    world.record(&[with_key(buy(tv, "ann", 1), "k")]).await;
    let others = [with_key(buy(tv, "ann", 2), "k"), with_key(buy(pc, "ann", 1), "k")];
    assert_eq!(world.outcomes(&others).await, [Err(Reason::IdempotencyKeyReused); 2]);
}

async fn a_refused_purchase_keeps_its_key(world: &World) {
    let product = world.product("TV", 0, None).await;
    let (first, retry) =
        (with_key(buy(product, "ann", 1), "k"), with_key(buy(product, "ann", 1), "k"));
    assert_eq!(world.outcomes(&[first]).await, [SOLD_OUT]);
    assert_eq!(world.outcomes(&[retry]).await, [Err(Reason::Replay)]);
}

async fn keys_belong_to_their_user(world: &World) {
    let product = world.product("TV", 10, None).await;
    let batch = [with_key(buy(product, "ann", 1), "k"), with_key(buy(product, "bob", 1), "k")];
    assert_eq!(world.outcomes(&batch).await, [SOLD, SOLD]);
}

async fn an_order_is_found_by_its_key(world: &World) {
    let product = world.product("TV", 10, None).await;
    let purchase = with_key(buy(product, "ann", 1), "k");
    world.record(std::slice::from_ref(&purchase)).await;
    let key = purchase.keyed.as_ref().unwrap().key.clone();
    let asked = ["bob", "ann", "cleo"].map(|user| (UserId::parse(user).unwrap(), key.clone()));
    let found = world.ledger.orders_by_key(&asked).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|order| (order.id, order.keyed)).collect();
    assert_eq!(found, [(purchase.id, purchase.keyed)]);
    assert_eq!(world.ledger.orders_by_key(&[]).await.unwrap(), []);
}

async fn a_foreign_id_is_a_collision_and_kept_once(world: &World) {
    let product = world.product("TV", 10, None).await;
    let ann = buy(product, "ann", 1);
    let mut bob = buy(product, "bob", 1);
    bob.id = ann.id;
    world.record(std::slice::from_ref(&ann)).await;
    for _ in 0..2 {
        let recorded = world.record(&[bob.clone(), buy(product, "cat", 1)]).await;
        assert_eq!(recorded.settled[0], Settled::Collision);
        assert_eq!(crate::support::outcome(order_of(&recorded.settled[1])), SOLD);
    }
    let alone = world.record(&[bob]).await;
    assert_eq!((alone.settled, alone.announcement), (vec![Settled::Collision], None));
    assert_eq!(world.ledger.audit().await.unwrap().dead_letters, 1);
    assert_eq!(world.order(ann.id).await.terms, Some(ann.terms));
}
