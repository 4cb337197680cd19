//! What happens to a hold after it was placed: checkout, payment, cancellation, expiry, fulfilment.

use shared::domain::testing::{fresh_id, sale, with_key};
use shared::domain::{
    Act, Advanced, Command, Late, Order, OrderEvent, PaymentRef, ProductId, Purchase, Reason,
    Refusal, Sale, Status, TrackingId, UserId,
};
use shared::domain::{Payment, Timestamp};
use shared::ports::{Carried, OrderQuery};

use crate::support::{OPENS, SOLD, SOLD_OUT, World, both_families, buy, buy_in, hold, outcome};

both_families!(
    a_paid_hold_is_sold,
    a_checkout_asked_again_is_the_same_checkout,
    a_declined_payment_frees_the_units,
    a_declined_payment_may_leave_the_hold,
    an_order_goes_only_where_the_table_allows,
    a_cancelled_order_returns_its_units_once,
    a_paid_order_that_is_cancelled_is_refunded,
    a_hold_expires_by_the_ledgers_clock,
    an_expired_hold_cannot_be_checked_out,
    a_retry_that_was_recognised_late_means_its_original,
    units_that_go_back_free_the_limit_and_the_sale,
    commands_of_one_batch_follow_each_other,
    nobody_touches_an_order_of_somebody_else,
    a_users_orders_are_listed_newest_first,
    everything_that_happens_is_announced_in_order,
);

pub(crate) fn reference(text: &str) -> PaymentRef {
    PaymentRef::parse(text).unwrap()
}

pub(crate) fn command(id: TrackingId, act: Act) -> Command {
    Command { id, user: None, act, by: None }
}

pub(crate) fn checkout(id: TrackingId, with: &str) -> Command {
    let address = Some(r#"{"city": "Bern"}"#.into());
    let payment = Payment {
        reference: reference(with),
        method: Some("card".into()),
        shipping_address: address,
    };
    command(id, Act::Checkout { payment, within_ms: 60_000 })
}

pub(crate) fn paid(id: TrackingId, with: &str) -> Command {
    let late = Late::Reclaim(fresh_id());
    command(id, Act::Paid { reference: reference(with), late })
}

pub(crate) fn declined(id: TrackingId, with: &str) -> Command {
    command(id, Act::Declined { reference: reference(with), keep_hold: false })
}

impl World {
    pub(crate) async fn carry(&self, commands: &[Command]) -> Carried {
        self.ledger.advance(commands).await.unwrap()
    }

    /// What one command came to.
    pub(crate) async fn one(&self, command: Command) -> Result<Advanced, Refusal> {
        self.carry(&[command]).await.results.remove(0)
    }

    /// The order after one command that was allowed.
    pub(crate) async fn done(&self, command: Command) -> Order {
        self.one(command).await.unwrap().order
    }

    /// A hold of `user`'s.
    pub(crate) async fn held(&self, product: ProductId, user: &str, units: u32) -> Purchase {
        let purchase = hold(product, user, units);
        let outcomes = self.outcomes(std::slice::from_ref(&purchase)).await;
        assert_eq!(outcomes, [Ok(Status::Reserved)]);
        purchase
    }
}

async fn a_paid_hold_is_sold(world: &World) {
    let product = world.product("TV", 5, None).await;
    let id = world.held(product, "ann", 2).await.id;
    let pending = world.done(checkout(id, "t-1")).await;
    assert_eq!((pending.status, pending.version), (Status::Pending, 2));
    assert!(pending.pay_by > pending.decided_at);
    assert_eq!(world.stock(product).await, (5, 2, 0, 2));
    let sold = world.done(paid(id, "t-1")).await;
    assert_eq!((sold.status, sold.pay_by, sold.version), (Status::Confirmed, None, 3));
    assert_eq!(world.stock(product).await, (5, 0, 2, 3));
    let stored = world.order(id).await;
    assert_eq!(stored, sold);
    let payment = stored.payment.unwrap();
    assert_eq!(payment.method.as_deref(), Some("card"));
    assert_eq!(payment.shipping_address.as_deref(), Some(r#"{"city": "Bern"}"#));
    assert_eq!(world.done(command(id, Act::Fulfil)).await.status, Status::Fulfilled);
    assert_eq!(world.stock(product).await, (5, 0, 2, 3));
}

async fn a_checkout_asked_again_is_the_same_checkout(world: &World) {
    let product = world.product("TV", 5, None).await;
    let id = world.held(product, "ann", 1).await.id;
    let first = world.done(checkout(id, "t-1")).await;
    assert_eq!(world.done(checkout(id, "t-1")).await, first);
    let other = world.one(checkout(id, "t-2")).await.unwrap_err();
    assert_eq!(other, Refusal::Invalid { from: Status::Pending, to: Status::Pending });
    let sold = world.done(paid(id, "t-1")).await;
    assert_eq!(world.done(checkout(id, "t-1")).await, sold);
    assert_eq!(world.done(paid(id, "t-1")).await, sold);
    assert_eq!(world.carry(&[paid(id, "t-1")]).await.announcement, None);
}

async fn a_declined_payment_frees_the_units(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.held(product, "ann", 1).await.id;
    world.done(checkout(id, "t-1")).await;
    assert_eq!(world.done(declined(id, "t-0")).await.status, Status::Pending);
    assert_eq!(world.done(declined(id, "t-1")).await.status, Status::Failed);
    assert_eq!(world.done(declined(id, "t-1")).await.version, 3);
    assert_eq!(world.outcomes(&[buy(product, "bob", 1)]).await, [SOLD]);
}

async fn a_declined_payment_may_leave_the_hold(world: &World) {
    let product = world.product("TV", 1, None).await;
    let id = world.held(product, "ann", 1).await.id;
    world.done(checkout(id, "t-1")).await;
    let keep = Act::Declined { reference: reference("t-1"), keep_hold: true };
    let kept = world.done(command(id, keep)).await;
    assert_eq!((kept.status, kept.pay_by, kept.payment), (Status::Reserved, None, None));
    assert_eq!(world.stock(product).await, (1, 1, 0, 2));
    world.done(checkout(id, "t-2")).await;
    assert_eq!(world.done(paid(id, "t-2")).await.status, Status::Confirmed);
}

async fn an_order_goes_only_where_the_table_allows(world: &World) {
    let product = world.product("TV", 5, None).await;
    let id = world.held(product, "ann", 1).await.id;
    let refusal = world.one(command(id, Act::Fulfil)).await.unwrap_err();
    assert_eq!(refusal, Refusal::Invalid { from: Status::Reserved, to: Status::Fulfilled });
    let allowed = [Status::Pending, Status::Confirmed, Status::Expired, Status::Cancelled];
    assert_eq!(refusal.allowed(), allowed);
    let refused = buy(product, "bob", 9);
    assert_eq!(world.outcomes(std::slice::from_ref(&refused)).await, [SOLD_OUT]);
    for act in [Act::Cancel, Act::Release, Act::Fulfil] {
        let refusal = world.one(command(refused.id, act)).await.unwrap_err();
        assert_eq!(refusal.allowed(), []);
    }
    assert_eq!(world.one(command(fresh_id(), Act::Cancel)).await, Err(Refusal::NotFound));
    let sold = buy(product, "cat", 1);
    world.record(std::slice::from_ref(&sold)).await;
    let release = world.one(command(sold.id, Act::Release)).await.unwrap_err();
    assert_eq!(release, Refusal::Invalid { from: Status::Confirmed, to: Status::Cancelled });
}

async fn a_cancelled_order_returns_its_units_once(world: &World) {
    let product = world.product("TV", 5, None).await;
    let held = world.held(product, "ann", 2).await.id;
    let sold = buy(product, "bob", 3);
    world.record(std::slice::from_ref(&sold)).await;
    for id in [held, sold.id, held, sold.id] {
        assert_eq!(world.done(command(id, Act::Cancel)).await.status, Status::Cancelled);
    }
    assert_eq!(world.stock(product).await, (5, 0, 0, 5));
    assert_eq!(world.order(held).await.version, 2);
    assert_eq!(world.outcomes(&[hold(product, "ann", 5)]).await, [Ok(Status::Reserved)]);
}

async fn a_paid_order_that_is_cancelled_is_refunded(world: &World) {
    let product = world.product("TV", 5, None).await;
    let id = world.held(product, "ann", 1).await.id;
    world.carry(&[checkout(id, "t-1"), paid(id, "t-1")]).await;
    let cancelled = world.done(command(id, Act::Cancel)).await;
    assert_eq!(cancelled.refund.as_ref().unwrap().references, [reference("t-1")]);
    assert_eq!(world.done(paid(id, "t-1")).await, world.order(id).await);
}

async fn a_hold_expires_by_the_ledgers_clock(world: &World) {
    let product = world.product("TV", 5, None).await;
    let long = world.held(product, "ann", 2).await;
    assert_eq!(world.expire().await, 0);
    let next = world.ledger.expire(10).await.unwrap().next_in.unwrap();
    assert!(next.as_secs() > 500, "{next:?}");
    let short =
        Purchase { kind: shared::domain::Kind::Hold { seconds: 0 }, ..hold(product, "bob", 1) };
    world.record(std::slice::from_ref(&short)).await;
    assert_eq!(world.expire().await, 1);
    assert_eq!(world.order(short.id).await.status, Status::Expired);
    assert_eq!(world.order(long.id).await.status, Status::Reserved);
    assert_eq!(world.stock(product).await, (5, 2, 0, 4));
    assert_eq!(world.expire().await, 0);
}

async fn an_expired_hold_cannot_be_checked_out(world: &World) {
    let product = world.product("TV", 5, None).await;
    let id = world.held(product, "ann", 1).await.id;
    world.let_time_run_out(id).await;
    // Whether or not the sweeper was there already.
    assert_eq!(world.one(checkout(id, "t-1")).await, Err(Refusal::Expired));
    assert_eq!(world.expire().await, 1);
    assert_eq!(world.one(checkout(id, "t-1")).await, Err(Refusal::Expired));
}

async fn a_retry_that_was_recognised_late_means_its_original(world: &World) {
    let product = world.product("TV", 9, None).await;
    let first = with_key(hold(product, "ann", 1), "k-1");
    let retry = Purchase { id: fresh_id(), ..first.clone() };
    let (original, retried) = (first.id, retry.id);
    world.record(&[first, retry]).await;
    for act in [checkout(retried, "t-1"), paid(retried, "t-1"), command(retried, Act::Cancel)] {
        assert_eq!(world.one(act).await, Err(Refusal::Replay(original)));
    }
}

async fn units_that_go_back_free_the_limit_and_the_sale(world: &World) {
    let product = world.product("TV", 9, None).await;
    let far = OPENS + 100 * 365 * 86_400_000;
    let mut open = Sale { quantity: Some(1), ..sale(7, product.0, OPENS, far) };
    open.per_user_limit = Some(1);
    world.sale(open.clone()).await;
    let first = buy_in(&open, "ann");
    let full = [Err(Reason::AlreadyPurchased), SOLD_OUT];
    assert_eq!(world.outcomes(std::slice::from_ref(&first)).await, [SOLD]);
    assert_eq!(world.outcomes(&[buy_in(&open, "ann"), buy_in(&open, "bob")]).await, full);
    world.done(command(first.id, Act::Cancel)).await;
    assert_eq!(world.level(product).await.sale.unwrap().sale_left, 1);
    assert_eq!(
        world.outcomes(&[buy_in(&open, "ann"), buy_in(&open, "bob")]).await,
        [SOLD, SOLD_OUT]
    );
}

async fn commands_of_one_batch_follow_each_other(world: &World) {
    let product = world.product("TV", 5, None).await;
    let id = world.held(product, "ann", 1).await.id;
    let batch =
        [checkout(id, "t-1"), paid(id, "t-1"), command(id, Act::Fulfil), command(id, Act::Cancel)];
    let carried = world.carry(&batch).await;
    let statuses: Vec<_> =
        carried.results.iter().map(|result| result.as_ref().map(|a| a.order.status)).collect();
    let end = Refusal::Invalid { from: Status::Fulfilled, to: Status::Cancelled };
    let expected = [Ok(Status::Pending), Ok(Status::Confirmed), Ok(Status::Fulfilled), Err(&end)];
    assert_eq!(statuses, expected);
    assert_eq!(outcome(&world.order(id).await), Ok(Status::Fulfilled));
    assert_eq!(world.stock(product).await, (5, 0, 1, 3));
}

async fn nobody_touches_an_order_of_somebody_else(world: &World) {
    let product = world.product("TV", 5, None).await;
    let id = world.held(product, "ann", 1).await.id;
    let by = |user: &str| {
        let user = Some(UserId::parse(user).unwrap());
        Command { user, ..command(id, Act::Cancel) }
    };
    assert_eq!(world.one(by("bob")).await, Err(Refusal::NotYours));
    assert_eq!(world.done(by("ann")).await.status, Status::Cancelled);
}

async fn a_users_orders_are_listed_newest_first(world: &World) {
    let product = world.product("TV", 3, None).await;
    let purchases: Vec<_> = (0..5).map(|_| buy(product, "ann", 1)).collect();
    world.record(&purchases).await;
    world.record(&[buy(product, "bob", 1)]).await;
    let query =
        OrderQuery { user_id: UserId::parse("ann").unwrap(), status: None, after: None, limit: 2 };
    let ids = |orders: Vec<Order>| orders.into_iter().map(|order| order.id).collect::<Vec<_>>();
    let page = ids(world.ledger.orders_of(&query).await.unwrap());
    assert_eq!(page, [purchases[4].id, purchases[3].id]);
    let next = OrderQuery { after: page.last().copied(), limit: 9, ..query.clone() };
    let rest: Vec<_> = purchases[..3].iter().rev().map(|purchase| purchase.id).collect();
    assert_eq!(ids(world.ledger.orders_of(&next).await.unwrap()), rest);
    let rejected = OrderQuery { status: Some(Status::Rejected), limit: 9, ..query };
    let refused = [purchases[4].id, purchases[3].id];
    assert_eq!(ids(world.ledger.orders_of(&rejected).await.unwrap()), refused);
}

async fn everything_that_happens_is_announced_in_order(world: &World) {
    let product = world.product("TV", 20, None).await;
    let id = world.held(product, "ann", 19).await.id;
    let batch = [checkout(id, "t-1"), paid(id, "t-1"), command(id, Act::Cancel)];
    let announced = world.carry(&batch).await.announcement.unwrap();
    let told: Vec<_> = announced.orders.iter().map(|c| (c.event, c.version)).collect();
    let expected = [
        (OrderEvent::Pending, 2),
        (OrderEvent::Confirmed, 3),
        (OrderEvent::Cancelled, 4),
        (OrderEvent::RefundDue, 5),
    ];
    assert_eq!(told, expected);
    assert_eq!(announced.levels, [world.level(product).await]);
    assert!(announced.at > Timestamp::from_millis(OPENS));
    world.let_leases_run_out().await;
    let leased = world.ledger.lease_dues(10).await.unwrap();
    let leased = leased.iter().find(|leased| leased.due == announced.due).unwrap();
    let again: Vec<_> = leased.orders.iter().map(|c| (c.event, c.version)).collect();
    assert_eq!((again.as_slice(), leased.at), (&expected[..], announced.at));
}
