//! Purchases that cannot be settled, and what comes of them.

use shared::domain::{Order, Purchase, Settled, Status, Timestamp};
use shared::ports::{DeadLetter, LedgerError};

use crate::support::{SOLD, SOLD_OUT, World, both_families, buy, order_of};

both_families!(
    attempts_are_counted_until_the_suspect_is_settled,
    a_parked_purchase_is_an_order_with_only_what_its_id_says,
    a_settled_purchase_is_not_parked,
    parking_twice_parks_once,
    an_undecodable_message_is_owed_once,
    a_parked_order_is_left_alone_without_a_replay,
    a_replay_decides_a_parked_order_once,
    a_letter_without_an_order_is_kept_once,
    a_moment_outside_of_time_is_poison,
);

fn letter_of(purchase: &Purchase) -> DeadLetter {
    let body = serde_json::to_vec(purchase).unwrap();
    DeadLetter { order_id: Some(purchase.id), body, error: "bad: \0".into() }
}

async fn attempts_are_counted_until_the_suspect_is_settled(world: &World) {
    let product = world.product("TV", 9, None).await;
    let (suspect, other) = (buy(product, "ann", 1), buy(product, "bob", 1));
    for expected in 1..=3 {
        assert_eq!(world.ledger.begin_attempt(suspect.id).await.unwrap(), expected);
    }
    assert_eq!(world.ledger.begin_attempt(other.id).await.unwrap(), 1);
    assert_eq!(world.outcomes(std::slice::from_ref(&suspect)).await, [SOLD]);
    assert_eq!(world.ledger.begin_attempt(suspect.id).await.unwrap(), 1);
    assert_eq!(world.ledger.begin_attempt(other.id).await.unwrap(), 2);
}

async fn a_parked_purchase_is_an_order_with_only_what_its_id_says(world: &World) {
    let product = world.product("TV", 9, None).await;
    let purchase = buy(product, "ann", 1);
    world.ledger.begin_attempt(purchase.id).await.unwrap();
    let letter = letter_of(&purchase);
    let announcement = world.ledger.park(&letter).await.unwrap().unwrap();
    assert_eq!(announcement.dead_letters[0], letter);
    assert_eq!(*announcement.orders[0].order, Order::parked(purchase.id));
    assert_eq!(world.order(purchase.id).await, Order::parked(purchase.id));
    let audit = world.ledger.audit().await.unwrap();
    assert_eq!((audit.parked, audit.dead_letters, audit.dues), (1, 1, 1));
    assert_eq!(world.ledger.begin_attempt(purchase.id).await.unwrap(), 1, "counted anew");

    world.let_leases_run_out().await;
    let leased = world.ledger.lease_dues(10).await.unwrap();
    assert_eq!(leased[0].orders, announcement.orders);
    assert_eq!(leased[0].dead_letters[0].body, letter.body);
    assert_eq!(leased[0].dead_letters[0].order_id, letter.order_id);
}

async fn a_settled_purchase_is_not_parked(world: &World) {
    let product = world.product("TV", 9, None).await;
    let purchase = buy(product, "ann", 1);
    world.record(std::slice::from_ref(&purchase)).await;
    assert_eq!(world.ledger.park(&letter_of(&purchase)).await.unwrap(), None);
    assert_eq!(world.order(purchase.id).await.status, Status::Confirmed);
    assert_eq!(world.ledger.audit().await.unwrap().dead_letters, 0);
}

async fn parking_twice_parks_once(world: &World) {
    let product = world.product("TV", 9, None).await;
    let letter = letter_of(&buy(product, "ann", 1));
    assert!(world.ledger.park(&letter).await.unwrap().is_some());
    assert_eq!(world.ledger.park(&letter).await.unwrap(), None);
    assert_eq!(world.ledger.audit().await.unwrap().dead_letters, 1);
}

async fn an_undecodable_message_is_owed_once(world: &World) {
    let letter = DeadLetter { order_id: None, body: vec![0, 255, 1], error: "what?".into() };
    let announcement = world.ledger.park(&letter).await.unwrap().unwrap();
    assert_eq!((announcement.orders.len(), announcement.dead_letters.len()), (0, 1));
    assert_eq!(world.ledger.park(&letter).await.unwrap(), None);
    assert_eq!(world.ledger.audit().await.unwrap().dues, 1);
}

async fn a_parked_order_is_left_alone_without_a_replay(world: &World) {
    let product = world.product("TV", 9, None).await;
    let purchase = buy(product, "ann", 1);
    world.ledger.park(&letter_of(&purchase)).await.unwrap();
    let recorded = world.record(std::slice::from_ref(&purchase)).await;
    assert_eq!(recorded.settled, [Settled::Order(Order::parked(purchase.id).into())]);
    assert_eq!(recorded.announcement, None);
    assert_eq!(world.stock(product).await, (9, 0, 0, 1));
}

async fn a_replay_decides_a_parked_order_once(world: &World) {
    let product = world.product("TV", 1, None).await;
    let (ann, bob) = (buy(product, "ann", 1), buy(product, "bob", 1));
    for purchase in [&ann, &bob] {
        world.ledger.park(&letter_of(purchase)).await.unwrap();
    }
    let batch = [ann, bob].map(|purchase| Purchase { replayed: true, ..purchase });
    let first = world.record(&batch).await;
    assert_eq!(crate::support::outcomes(&first), [SOLD, SOLD_OUT]);
    assert_eq!(first.announcement.unwrap().orders.len(), 2);
    let stored = world.order(batch[0].id).await;
    assert_eq!((&stored, stored.version), (order_of(&first.settled[0]), 2));
    assert_eq!(stored.terms.as_ref(), Some(&batch[0].terms));

    let again = world.record(&batch).await;
    assert_eq!((again.settled, again.announcement), (first.settled, None));
    assert_eq!(world.stock(product).await, (1, 0, 1, 2));
    assert_eq!(world.ledger.audit().await.unwrap().parked, 0);
}

async fn a_letter_without_an_order_is_kept_once(world: &World) {
    let letter = DeadLetter { order_id: None, body: b"wrong MAC".to_vec(), error: "MAC".into() };
    world.ledger.keep_dead_letter(&letter).await.unwrap();
    world.ledger.keep_dead_letter(&letter).await.unwrap();
    let audit = world.ledger.audit().await.unwrap();
    assert_eq!((audit.dead_letters, audit.dues), (1, 0));
}

/// PostgreSQL says 22008, `datetime_field_overflow`.
async fn a_moment_outside_of_time_is_poison(world: &World) {
    let product = world.product("TV", 9, None).await;
    for ms in [i64::MIN, i64::MAX] {
        let accepted_at = Timestamp::from_millis(ms);
        let poison = Purchase { accepted_at, ..buy(product, "ann", 1) };
        let error = world.try_record(&[buy(product, "bob", 1), poison]).await.unwrap_err();
        assert!(matches!(error, LedgerError::Poison(_)), "{error}");
    }
    assert_eq!(world.stock(product).await, (9, 0, 0, 1), "its neighbours are not harmed");
}
