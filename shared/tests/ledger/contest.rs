//! Everything at once on one order: whatever wins, it wins alone, and no unit is lost or doubled.

use std::sync::Arc;

use shared::domain::testing::fresh_id;
use shared::domain::{Act, Command, Kind, Late, Purchase, Status};
use shared::ports::Ledger;

use crate::life::{checkout, command, paid, reference};
use crate::support::{World, hold};

/// Holds that are fought over.
const ROUNDS: usize = 1_000;
/// At once.
const SIDE_BY_SIDE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkout_expiry_cancel_and_late_webhook_leave_one_winner() {
    let world = World::patient().await;
    let product = world.product("TV", 50, None).await;
    let mut ends = std::collections::BTreeMap::<String, usize>::new();
    for round in 0..ROUNDS / SIDE_BY_SIDE {
        let holds: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|n| {
                let user = format!("u-{round}-{n}");
                // Over as soon as it is placed: checkout, sweeper and payment all have a claim.
                let seconds = u32::from(n % 2 == 0) * 600;
                Purchase { kind: Kind::Hold { seconds }, ..hold(product, &user, 1) }
            })
            .collect();
        world.record(&holds).await;
        let fights = holds.iter().map(|hold| fight(Arc::clone(&world.ledger), hold.id));
        futures::future::join_all(fights).await;
        for hold in &holds {
            let end = settle_down(&world, hold).await;
            *ends.entry(end).or_default() += 1;
        }
        let (total, reserved, sold, _) = world.stock(product).await;
        assert_eq!((total, reserved, sold), (50, 0, 0), "round {round}");
    }
    println!("{ends:?}");
    assert!(ends.len() >= 3, "the fights all end alike: {ends:?}");
    world.assert_history_adds_up().await;
}

/// Sends everything at one order at the same time.
async fn fight(ledger: Arc<dyn Ledger>, id: shared::domain::TrackingId) {
    let commands = [
        vec![checkout(id, "t-1"), paid(id, "t-1")],
        vec![command(id, Act::Release)],
        vec![paid(id, "t-1")],
        vec![paid(id, "t-1")],
    ];
    let mut tasks: Vec<_> = commands
        .into_iter()
        .map(|commands| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move { drop(ledger.advance(&commands).await.unwrap()) })
        })
        .collect();
    tasks.push(tokio::spawn(async move { drop(ledger.expire(10).await.unwrap()) }));
    for task in tasks {
        task.await.unwrap();
    }
}

/// Checks that exactly one won, and gives everything back; answers how it ended.
async fn settle_down(world: &World, hold: &Purchase) -> String {
    let order = world.order(hold.id).await;
    // Told once more, the payment is honoured already, or due back already.
    let again = world.one(paid(hold.id, "t-1")).await.unwrap();
    assert_eq!(again.order, order);
    let honoured = usize::from(order.status == Status::Confirmed)
        + usize::from(again.reclaim.is_some())
        + usize::from(order.refund.is_some());
    assert_eq!(honoured, 1, "the money is in one place: {order:?} {:?}", again.reclaim);
    let sold = again.reclaim.as_ref().map_or(&order, |reclaim| reclaim);
    let end =
        format!("{} {}", order.status, if order.refund.is_some() { "refund" } else { "sold" });
    if sold.status == Status::Confirmed {
        let cancelled = world.done(command(sold.id, Act::Cancel)).await;
        assert!(cancelled.refund.is_some());
    }
    end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweepers_side_by_side_end_every_hold_once() {
    let world = World::postgres().await;
    let product = world.product("TV", 600, None).await;
    let holds: Vec<_> = (0..600)
        .map(|n| Purchase {
            kind: Kind::Hold { seconds: 0 },
            ..hold(product, &format!("u-{n}"), 1)
        })
        .collect();
    world.record(&holds).await;
    let sweep = || {
        let ledger = Arc::clone(&world.ledger);
        tokio::spawn(async move {
            let (mut ended, mut told) = (0, 0);
            loop {
                let expired = ledger.expire(50).await.unwrap();
                if expired.count == 0 {
                    return (ended, told);
                }
                ended += expired.count;
                told += expired.announcement.map_or(0, |announcement| announcement.orders.len());
            }
        })
    };
    let sweepers = [sweep(), sweep(), sweep(), sweep()];
    let mut counts = (0, 0);
    for sweeper in sweepers {
        let (ended, told) = sweeper.await.unwrap();
        counts = (counts.0 + ended, counts.1 + told);
    }
    assert_eq!(counts, (600, 600));
    let (total, reserved, sold, _) = world.stock(product).await;
    assert_eq!((total, reserved, sold), (600, 0, 0));
    world.assert_history_adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_payments_told_to_many_are_honoured_once() {
    let world = World::postgres().await;
    let product = world.product("TV", 3, None).await;
    let id = world.ended(product, "ann", "t-1").await;
    let tell = || {
        let ledger = Arc::clone(&world.ledger);
        let late = Late::Reclaim(fresh_id());
        let act = Act::Paid { reference: reference("t-1"), late };
        let told = [Command { id, user: None, act, by: None }];
        tokio::spawn(async move { ledger.advance(&told).await.unwrap().results.remove(0) })
    };
    let mut honoured = std::collections::BTreeSet::new();
    for told in (0..16).map(|_| tell()).collect::<Vec<_>>() {
        honoured.insert(told.await.unwrap().unwrap().reclaim.unwrap().id);
    }
    assert_eq!(honoured.len(), 1);
    let (_, reserved, sold, _) = world.stock(product).await;
    assert_eq!((reserved, sold), (0, 1));
}

#[tokio::test]
async fn a_product_that_is_busy_for_long_keeps_no_other_waiting() {
    let world = World::postgres().await;
    let (busy, free) = (world.product("TV", 9, None).await, world.product("PC", 9, None).await);
    let over =
        |product, user| Purchase { kind: Kind::Hold { seconds: 0 }, ..hold(product, user, 1) };
    world.record(&[over(busy, "ann"), over(free, "bob")]).await;
    let operator = world.database().client().await;
    let lock = format!("begin; select from inventory where product_id = {busy} for update");
    operator.batch_execute(&lock).await.unwrap();
    // The busy one is the older, and fills the batch.
    assert_eq!(world.ledger.expire(1).await.unwrap().count, 1);
    assert_eq!(world.stock(free).await, (9, 0, 0, 3));
    assert_eq!(world.ledger.expire(1).await.unwrap().count, 0);
    operator.batch_execute("commit").await.unwrap();
    assert_eq!(world.ledger.expire(1).await.unwrap().count, 1);
    assert_eq!(world.stock(busy).await, (9, 0, 0, 3));
}
