//! Money that comes late, twice, or not at all.

use shared::domain::{Act, Late, Reason, Status};

use crate::life::{checkout, command, declined, paid, reference};
use crate::support::{SOLD, World, both_families, buy};

both_families!(
    a_late_payment_sells_the_units_anew,
    a_late_payment_that_finds_nothing_left_is_due_back,
    a_late_payment_is_refunded_where_that_is_wished,
    money_that_was_honoured_is_not_due_back_too,
    a_checkout_asked_again_after_its_late_payment_is_told_of_the_new_order,
    money_for_a_cancelled_order_is_due_back,
    a_second_payment_is_due_back,
    a_reclaim_keeps_to_the_limit,
    a_payment_that_never_comes_fails,
);

async fn a_late_payment_sells_the_units_anew(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.ended(product, "ann", "t-1").await;
    let late = world.one(paid(id, "t-1")).await.unwrap();
    let new = late.reclaim.unwrap();
    assert_eq!((new.status, new.reclaims), (Status::Confirmed, Some(id)));
    assert_eq!(new.payment.as_ref().unwrap().reference, reference("t-1"));
    assert_eq!(new.payment.as_ref().unwrap().method.as_deref(), Some("card"));
    assert_eq!(world.order(new.id).await, new);
    assert_eq!((late.order.status, late.order.refund), (Status::Failed, None));
    assert_eq!(world.stock(product).await, (1, 0, 1, 4));
    // However often it is told.
    let again = world.one(paid(id, "t-1")).await.unwrap();
    assert_eq!(again.reclaim, Some(new));
    assert_eq!(world.stock(product).await, (1, 0, 1, 4));
    // Another payment for the same is one too many.
    let other = world.one(paid(id, "t-2")).await.unwrap();
    assert_eq!(other.order.refund.unwrap().references, [reference("t-2")]);
}

async fn a_late_payment_that_finds_nothing_left_is_due_back(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.ended(product, "ann", "t-1").await;
    assert_eq!(world.outcomes(&[buy(product, "bob", 1)]).await, [SOLD]);
    let late = world.one(paid(id, "t-1")).await.unwrap();
    assert_eq!((late.order.status, late.reclaim), (Status::Failed, None));
    assert_eq!(late.order.refund.as_ref().unwrap().references, [reference("t-1")]);
    assert_eq!(world.order(id).await, late.order);
    assert_eq!(world.one(paid(id, "t-1")).await.unwrap().order, late.order);
}

async fn a_late_payment_is_refunded_where_that_is_wished(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.ended(product, "ann", "t-1").await;
    let act = Act::Paid { reference: reference("t-1"), late: Late::Refund };
    let late = world.one(command(id, act)).await.unwrap();
    assert!(late.order.refund.is_some() && late.reclaim.is_none());
    assert_eq!(world.stock(product).await, (1, 0, 0, 3));
}

async fn money_that_was_honoured_is_not_due_back_too(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.ended(product, "ann", "t-1").await;
    let honoured = world.one(paid(id, "t-1")).await.unwrap().reclaim;
    // Told again where late payments are refunded: another instance, or another configuration.
    let act = Act::Paid { reference: reference("t-1"), late: Late::Refund };
    let again = world.one(command(id, act)).await.unwrap();
    assert_eq!((again.order.refund, again.reclaim), (None, honoured));
}

async fn a_checkout_asked_again_after_its_late_payment_is_told_of_the_new_order(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.ended(product, "ann", "t-1").await;
    let honoured = world.one(paid(id, "t-1")).await.unwrap().reclaim;
    let again = world.one(checkout(id, "t-1")).await.unwrap();
    assert_eq!((again.order.status, again.reclaim), (Status::Failed, honoured));
}

async fn money_for_a_cancelled_order_is_due_back(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.held(product, "ann", 1).await.id;
    world.carry(&[checkout(id, "t-1"), command(id, Act::Release)]).await;
    let late = world.one(paid(id, "t-1")).await.unwrap();
    assert_eq!(late.order.status, Status::Cancelled);
    assert!(late.order.refund.is_some() && late.reclaim.is_none());
}

async fn a_second_payment_is_due_back(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.held(product, "ann", 1).await.id;
    world.carry(&[checkout(id, "t-1"), paid(id, "t-1"), paid(id, "t-2")]).await;
    let order = world.done(paid(id, "t-3")).await;
    assert_eq!(order.status, Status::Confirmed);
    let refund = order.refund.clone().unwrap();
    assert_eq!(refund.references, [reference("t-2"), reference("t-3")]);
    assert_eq!(world.order(id).await, order);
}

async fn a_reclaim_keeps_to_the_limit(world: &World) {
    let product = world.product("TV", 9, Some(1)).await;
    let id = world.ended(product, "ann", "t-1").await;
    assert_eq!(world.outcomes(&[buy(product, "ann", 1)]).await, [SOLD]);
    let late = world.one(paid(id, "t-1")).await.unwrap();
    assert!(late.order.refund.is_some() && late.reclaim.is_none());
    // Also where the hold ends in the very batch that brings the payment.
    let id = world.held(product, "bob", 1).await.id;
    world.done(checkout(id, "t-2")).await;
    let batch = [declined(id, "t-2"), paid(id, "t-2"), paid(id, "t-2")];
    let carried = world.carry(&batch).await;
    let reclaim = carried.results[1].clone().unwrap().reclaim.unwrap();
    assert_eq!(carried.results[2].clone().unwrap().reclaim, Some(reclaim));
    let more = world.outcomes(&[buy(product, "bob", 1)]).await;
    assert_eq!(more, [Err(Reason::AlreadyPurchased)]);
}

async fn a_payment_that_never_comes_fails(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.held(product, "ann", 1).await.id;
    world.done(checkout(id, "t-1")).await;
    world.let_time_run_out(id).await;
    assert_eq!(world.expire().await, 1);
    assert_eq!(world.order(id).await.status, Status::Failed);
    assert_eq!(world.outcomes(&[buy(product, "bob", 1)]).await, [SOLD]);
}
