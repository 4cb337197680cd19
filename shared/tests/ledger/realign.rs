//! Realigning a ledger that was restored to an earlier point: only PostgreSQL's can be.

use std::time::{SystemTime, UNIX_EPOCH};

use shared::adapters::postgres::{PostgresLedger, Realigned};
use shared::domain::testing::tester;
use shared::domain::{Actor, NoticeEvent, ProductId};
use shared::ports::AuditQuery;

use crate::support::{SOLD, World, buy, hold, new_product};

async fn realign(world: &World, seen: &[(ProductId, i64)]) -> Realigned {
    let ledger = PostgresLedger::connect(&world.database().settings()).unwrap();
    ledger.realign(&seen.iter().copied().collect(), &Actor::local("cli:ann")).await.unwrap()
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[tokio::test]
async fn every_version_rises_above_what_was_ever_announced() {
    let world = World::postgres().await;
    let tv = world.product("TV", 9, None).await;
    let radio = world.product("RADIO", 5, None).await;
    let before = now_ms();
    let ahead = before + 1_000_000;
    let realigned = realign(&world, &[(tv, 77), (radio, ahead)]).await;
    let to: Vec<_> = realigned.products.iter().map(|raised| raised.version.to).collect();
    assert!(to[0] >= before && to[0] < ahead, "{realigned:?}");
    assert_eq!(to[1], ahead + 1, "what the gate knows is heeded when the clock is behind");
    assert_eq!(world.stock(tv).await, (9, 0, 0, to[0]));
    assert_eq!(world.stock(radio).await, (5, 0, 0, to[1]));
    let catalogue = world.ledger.catalogue().await.unwrap().version;
    assert!(catalogue == realigned.catalogue.to && catalogue >= before, "{realigned:?}");
    assert_eq!(realigned.catalogue.from, 3);
}

#[tokio::test]
async fn doing_it_again_raises_versions_again_and_nothing_else() {
    let world = World::postgres().await;
    let tv = world.product("TV", 9, None).await;
    world.record(&[buy(tv, "ann", 2), hold(tv, "bob", 3)]).await;
    let first = realign(&world, &[]).await;
    let second = realign(&world, &[]).await;
    assert_eq!(first.products[0].version.to, second.products[0].version.from);
    assert!(second.products[0].version.to > first.products[0].version.to);
    assert!(second.catalogue.to > first.catalogue.to);
    let (total, reserved, sold, _) = world.stock(tv).await;
    assert_eq!((total, reserved, sold), (9, 3, 2));
    world.assert_history_adds_up().await;
}

#[tokio::test]
async fn orders_that_will_move_on_rise_too_and_go_on_from_there() {
    let world = World::postgres().await;
    let tv = world.product("TV", 9, None).await;
    let (sold, held) = (buy(tv, "ann", 1), hold(tv, "bob", 1));
    world.record(&[sold.clone(), held.clone()]).await;
    let parked = buy(tv, "eve", 1);
    world.ledger.park(&shared::ports::DeadLetter::parked(&parked, "out of range")).await.unwrap();
    let before = now_ms();
    assert_eq!(realign(&world, &[]).await.orders, 2);
    assert_eq!(world.order(sold.id).await.version, 1);
    let raised = world.order(held.id).await.version;
    assert!(raised >= before && world.order(parked.id).await.version >= before);
    world.let_time_run_out(held.id).await;
    assert_eq!(world.expire().await, 1);
    assert_eq!(world.order(held.id).await.version, raised + 1);
    assert_eq!(world.outcomes(&[buy(tv, "joe", 9)]).await.len(), 1);
    world.assert_history_adds_up().await;
}

#[tokio::test]
async fn numbers_that_may_have_been_given_out_are_skipped() {
    let world = World::postgres().await;
    world.product("TV", 9, None).await;
    let before = now_ms() / 1_000;
    let next = realign(&world, &[]).await.next_id;
    assert!(next >= before);
    let radio = world.product("RADIO", 9, None).await;
    assert!(radio.0 >= next, "{radio}");
    assert_eq!(world.outcomes(&[buy(radio, "ann", 1)]).await, [SOLD]);
}

#[tokio::test]
async fn it_is_logged_and_everybody_is_to_hear_of_it() {
    let world = World::postgres().await;
    let tv = world.product("TV", 9, None).await;
    realign(&world, &[]).await;
    let realigned = Some("ledger.realign".to_owned());
    let query = AuditQuery { action: realigned, limit: 10, ..AuditQuery::default() };
    let log = world.ledger.audit_log(&query).await.unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].actor.as_str(), log[0].action.as_str()), ("cli:ann", "ledger.realign"));
    assert_eq!(log[0].details["products"], 1);
    world.let_leases_run_out().await;
    let owed = world.ledger.lease_dues(10).await.unwrap();
    let notice = owed[0].notices[0];
    assert_eq!((notice.product_id, notice.event), (tv, NoticeEvent::ProductChanged));
    assert_eq!(owed[0].levels, [world.level(tv).await]);
}

#[tokio::test]
async fn an_empty_ledger_is_realigned_too() {
    let world = World::postgres().await;
    let realigned = realign(&world, &[]).await;
    assert!(realigned.products.is_empty() && realigned.orders == 0, "{realigned:?}");
    assert!(world.ledger.create_product(&new_product("TV", 1, None), &tester()).await.is_ok());
}
