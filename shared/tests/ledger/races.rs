//! Another settler's transaction, held open by hand at the worst moment.

use shared::domain::testing::with_key;
use shared::domain::{Purchase, Reason};
use shared::ports::Recorded;

use crate::support::{SOLD, World, buy, outcomes};

/// The row that another settler writes for `purchase`, still without its units.
fn insert(purchase: &Purchase) -> String {
    let terms = &purchase.terms;
    let (key, fingerprint) = match &purchase.keyed {
        Some(keyed) => (format!("'{}'", keyed.key), keyed.fingerprint.0.to_string()),
        None => ("null".into(), "null".into()),
    };
    format!(
        "insert into orders (id, product_id, user_id, quantity, unit_price_minor, currency, status,
             accepted_at, decided_at, version, idempotency_key, fingerprint)
         values ('{}', {}, '{}', {}, {}, 'USD', 'CONFIRMED', now(), now(), 1, {key}, {fingerprint})",
        purchase.id,
        terms.product_id,
        terms.user_id,
        terms.quantity.units(),
        terms.unit_price.minor
    )
}

/// Settles `batch` while another settler has `theirs` written and not committed; it commits as
/// soon as we wait for it.
async fn settle_meanwhile(world: &World, theirs: &Purchase, batch: Vec<Purchase>) -> Recorded {
    let other = world.database().client().await;
    other.batch_execute(&format!("begin; {}", insert(theirs))).await.unwrap();
    let ledger = world.ledger.clone();
    let answers = vec![shared::ports::Answer::Yes; batch.len()];
    let ours = tokio::spawn(async move { ledger.record(&batch, &answers).await.unwrap() });
    world.until_somebody_waits_for_a_lock().await;
    let units = theirs.terms.quantity.units();
    // Their inventory lock came first in truth; ours is waiting inside the insert with it.
    other.batch_execute("commit").await.unwrap();
    let recorded = ours.await.unwrap();
    let sql = format!("update inventory set sold = sold + {units}, version = version + 1");
    world.database().run(&sql).await;
    recorded
}

#[tokio::test]
async fn an_order_that_another_settler_writes_meanwhile_keeps_its_outcome() {
    let world = World::postgres().await;
    let product = world.product("TV", 9, None).await;
    let (ann, bob) = (buy(product, "ann", 2), buy(product, "bob", 1));
    let recorded = settle_meanwhile(&world, &ann, vec![ann.clone(), bob.clone()]).await;
    assert_eq!(outcomes(&recorded), [SOLD, SOLD]);
    let announced: Vec<_> =
        recorded.announcement.unwrap().orders.iter().map(|o| o.order.id).collect();
    assert_eq!(announced, [bob.id]);
    world.assert_history_adds_up().await;
}

#[tokio::test]
async fn a_key_that_another_settler_writes_meanwhile_is_its_own() {
    let world = World::postgres().await;
    let product = world.product("TV", 9, None).await;
    let theirs = with_key(buy(product, "ann", 1), "k");
    let ours = with_key(buy(product, "ann", 1), "k");
    let recorded = settle_meanwhile(&world, &theirs, vec![ours.clone()]).await;
    assert_eq!(outcomes(&recorded), [Err(Reason::Replay)]);
    assert_eq!(world.order(ours.id).await.replay_of, Some(theirs.id));
    world.assert_history_adds_up().await;
}

#[tokio::test]
async fn a_deadlock_is_retried_and_nobody_s_fault() {
    let world = World::postgres().await;
    let product = world.product("TV", 9, None).await;
    let purchase = buy(product, "ann", 1);
    let other = world.database().client().await;
    other.batch_execute(&format!("begin; {}", insert(&purchase))).await.unwrap();
    let (ledger, batch) = (world.ledger.clone(), [purchase.clone()]);
    let answers = [shared::ports::Answer::Yes];
    let ours = tokio::spawn(async move { ledger.record(&batch, &answers).await.unwrap() });
    world.until_somebody_waits_for_a_lock().await;
    // The circle is closed. Whoever has waited for a second looks and gives itself up: that is us,
    // unless this machine took that long to get here; then it is the other one, and fine as well.
    let _ = other.batch_execute("select from inventory for update").await;
    other.batch_execute("rollback").await.unwrap();
    assert_eq!(outcomes(&ours.await.unwrap()), [SOLD]);
    world.assert_history_adds_up().await;
}
