//! The delivery room over the embedded adapters: what becomes of good, bad and lost messages.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use shared::domain::testing::{purchase_of, with_key};
use shared::domain::{Reason, Status};
use support::{World, forged, product};

#[tokio::test]
async fn what_is_on_the_queue_is_settled_and_acknowledged() {
    let world = World::start().await;
    let purchases: Vec<_> = (0..7).map(|_| world.purchase("u-1", 1)).collect();
    world.publish(&purchases).await;
    let orders = world.decided(&purchases).await;
    let count = |status| orders.iter().filter(|order| order.status == status).count();
    assert_eq!((count(Status::Confirmed), count(Status::Rejected)), (5, 2));
    world.stop().await;
    assert_eq!(world.ports.queue.status().await.unwrap().depth, 0);
}

#[tokio::test]
async fn a_purchase_delivered_twice_settles_once() {
    let world = World::start().await;
    let purchase = world.purchase("u-1", 2);
    world.publish(std::slice::from_ref(&purchase)).await;
    world.publish(std::slice::from_ref(&purchase)).await;
    world.decided(std::slice::from_ref(&purchase)).await;
    world.stop().await;
    assert_eq!(world.sold().await, 2);
}

#[tokio::test]
async fn a_retry_that_slipped_past_the_map_points_at_its_original() {
    let world = World::start().await;
    let first = with_key(world.purchase("u-1", 1), "k");
    let retry = with_key(world.purchase("u-1", 1), "k");
    world.publish(&[first.clone(), retry.clone()]).await;
    let orders = world.decided(&[first.clone(), retry]).await;
    let replay = orders.iter().find(|order| order.id != first.id).unwrap();
    assert_eq!((replay.reason, replay.replay_of), (Some(Reason::Replay), Some(first.id)));
    world.stop().await;
}

#[tokio::test]
async fn an_id_that_we_did_not_issue_is_kept_as_a_dead_letter_and_never_an_order() {
    let world = World::start().await;
    let forged = purchase_of(forged(), product(), "u-1", 1);
    let honest = world.purchase("u-2", 1);
    world.publish(&[forged.clone(), honest.clone()]).await;
    world.decided(std::slice::from_ref(&honest)).await;
    world.stop().await;
    assert!(world.ports.ledger.orders(&[forged.id]).await.unwrap().is_empty());
    assert_eq!(world.ports.ledger.audit().await.unwrap().dead_letters, 1);
}

#[tokio::test]
async fn one_poisoned_purchase_is_parked_and_costs_its_neighbours_nothing() {
    let world = World::start().await;
    let neighbours = [world.purchase("u-1", 1), world.purchase("u-2", 1)];
    let poison = world.purchase("poison", 1);
    let batch = [neighbours[0].clone(), poison.clone(), neighbours[1].clone()];
    world.publish(&batch).await;
    let orders = world.decided(&neighbours).await;
    assert!(orders.iter().all(|order| order.status == Status::Confirmed));
    let parked = world.order(poison.id).await;
    assert_eq!((parked.status, parked.terms), (Status::Parked, None));
    world.dead_letters(1).await;
    world.stop().await;
    assert_eq!(world.sold().await, 2);
}

#[tokio::test]
async fn in_an_outage_the_batch_waits_in_hand() {
    let world = World::start().await;
    world.ledger.guard.outage(true);
    let purchase = world.purchase("u-1", 1);
    world.publish(std::slice::from_ref(&purchase)).await;
    world.ledger.guard.was_asked_again().await;
    world.ledger.guard.outage(false);
    let orders = world.decided(std::slice::from_ref(&purchase)).await;
    assert_eq!(orders[0].status, Status::Confirmed);
    world.stop().await;
    let queue = world.ports.queue.status().await.unwrap();
    assert_eq!((queue.depth, queue.dead_letters), (0, 0));
}

#[tokio::test]
async fn a_worker_that_stops_in_an_outage_gives_its_batch_back() {
    let world = World::start().await;
    world.ledger.guard.outage(true);
    let purchase = world.purchase("u-1", 1);
    world.publish(std::slice::from_ref(&purchase)).await;
    world.ledger.guard.was_asked_again().await;
    world.stop().await;
    world.ledger.guard.outage(false);
    assert_eq!(world.ports.queue.status().await.unwrap().depth, 1);
}
