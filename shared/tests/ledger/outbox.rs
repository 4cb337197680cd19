//! What is owed after a commit, and by whom it is paid.

use shared::domain::Status;
use shared::ports::DuesWaiting;

use crate::support::{World, both_families, buy};

both_families!(
    a_settled_batch_is_owed_until_it_is_cleared,
    a_due_is_leased_to_one_at_a_time,
    a_due_that_was_not_paid_shows_the_present_state,
    dues_are_leased_oldest_first,
);

async fn a_settled_batch_is_owed_until_it_is_cleared(world: &World) {
    let product = world.product("TV", 9, None).await;
    let announcement = world.announced(&[buy(product, "ann", 1)]).await;
    assert_eq!(world.ledger.lease_dues(10).await.unwrap(), [], "its writer pays it first");
    let dues = async || world.ledger.audit().await.unwrap().dues;
    assert_eq!(dues().await, 1);
    let waiting = async || world.ledger.backlog().await.unwrap().dues;
    assert!(waiting().await.count == 1 && waiting().await.oldest_ms >= 0);
    let due = announcement.due.unwrap();
    world.ledger.clear_dues(&[due]).await.unwrap();
    world.ledger.clear_dues(&[due]).await.unwrap();
    assert_eq!(dues().await, 0);
    assert_eq!(waiting().await, DuesWaiting::default());
}

async fn a_due_is_leased_to_one_at_a_time(world: &World) {
    let product = world.product("TV", 9, None).await;
    let announcement = world.announced(&[buy(product, "ann", 1)]).await;
    world.let_leases_run_out().await;
    let announcement = vec![announcement];
    assert_eq!(world.ledger.lease_dues(10).await.unwrap(), announcement);
    assert_eq!(world.ledger.lease_dues(10).await.unwrap(), []);
    world.let_leases_run_out().await;
    assert_eq!(world.ledger.lease_dues(10).await.unwrap(), announcement);
}

async fn a_due_that_was_not_paid_shows_the_present_state(world: &World) {
    let product = world.product("TV", 9, None).await;
    let first = world.announced(&[buy(product, "ann", 1), buy(product, "bob", 9)]).await;
    world.record(&[buy(product, "cat", 1)]).await;
    world.let_leases_run_out().await;
    let leased = world.ledger.lease_dues(1).await.unwrap();
    assert_eq!(leased[0].orders, first.orders);
    assert_eq!(leased[0].orders[1].order.status, Status::Rejected);
    assert_eq!(leased[0].levels, [world.level(product).await]);
}

async fn dues_are_leased_oldest_first(world: &World) {
    let product = world.product("TV", 9, None).await;
    let mut dues = Vec::new();
    for user in ["ann", "bob", "cat"] {
        dues.push(world.announced(&[buy(product, user, 1)]).await.due);
    }
    world.let_leases_run_out().await;
    let lease = async || {
        let leased = world.ledger.lease_dues(2).await.unwrap();
        leased.into_iter().map(|announcement| announcement.due).collect::<Vec<_>>()
    };
    assert_eq!(lease().await, dues[..2]);
    assert_eq!(lease().await, dues[2..]);
}
