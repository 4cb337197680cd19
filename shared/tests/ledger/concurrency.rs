//! Many settlers at once.

use std::sync::Arc;

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use shared::domain::testing::{sale, tester, with_key};
use shared::domain::{Purchase, Sale, Status, Timestamp};
use shared::ports::{Answer, Ledger};

use crate::support::{OPENS, World, both_families, buy, buy_in, hold, order_of, outcome};

both_families!(
    settlers_never_oversell_and_sell_the_last_unit,
    a_batch_delivered_to_many_settlers_settles_once,
    limits_and_caps_hold_under_concurrency,
    a_key_sent_to_many_settlers_buys_once,
    restocks_and_purchases_do_not_lose_each_other,
);

/// A seed that a failing test can be repeated with.
fn dice() -> StdRng {
    let seed = rand::random();
    println!("seed {seed}");
    StdRng::seed_from_u64(seed)
}

/// Settles every batch, `settlers` at a time; the gate answers anything.
async fn settle_all(ledger: &Arc<dyn Ledger>, batches: Vec<Vec<Purchase>>, dice: &mut StdRng) {
    let settle = |batch: Vec<Purchase>| {
        let gate = [Answer::Yes, Answer::No, Answer::Unknown];
        let answers: Vec<_> = batch.iter().map(|_| *gate.choose(dice).unwrap()).collect();
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.record(&batch, &answers).await.unwrap() })
    };
    let settling: Vec<_> = batches.into_iter().map(settle).collect();
    for settled in join_all(settling).await {
        settled.unwrap();
    }
}

async fn settlers_never_oversell_and_sell_the_last_unit(world: &World) {
    let mut dice = dice();
    let products = [
        world.product("A", 40, None).await,
        world.product("B", 7, None).await,
        world.product("C", 0, None).await,
    ];
    let batches: Vec<Vec<_>> = (0..24)
        .map(|b| {
            let one = |p: u32| {
                let product = *products.choose(&mut dice).unwrap();
                let user = format!("{b}-{p}");
                if dice.random_bool(0.2) { hold(product, &user, 1) } else { buy(product, &user, 1) }
            };
            (0..12).map(one).collect()
        })
        .collect();
    settle_all(&world.ledger, batches, &mut dice).await;
    let available: Vec<_> = join_all(products.map(|product| world.level(product)))
        .await
        .iter()
        .map(|level| level.counts.available())
        .collect();
    assert_eq!(available, [0, 0, 0], "there were buyers for every unit");
}

async fn a_batch_delivered_to_many_settlers_settles_once(world: &World) {
    let mut dice = dice();
    let (tv, pc) = (world.product("TV", 20, None).await, world.product("PC", 0, None).await);
    let batch: Vec<_> =
        (0..30).map(|n| buy(if n % 3 == 0 { pc } else { tv }, &format!("u{n}"), 1)).collect();
    // Whole, in parts, and shuffled.
    let mut batches = vec![batch.clone(); 4];
    batches.extend(batch.chunks(7).map(<[_]>::to_vec));
    for batch in &mut batches {
        batch.shuffle(&mut dice);
    }
    settle_all(&world.ledger, batches, &mut dice).await;
    assert_eq!(world.stock(tv).await.2, 20);
    let ids: Vec<_> = batch.iter().map(|purchase| purchase.id).collect();
    let orders = world.ledger.orders(&ids).await.unwrap();
    let sold = orders.iter().filter(|order| order.status == Status::Confirmed).count();
    assert_eq!((orders.len(), sold), (30, 20));
    assert!(orders.iter().all(|order| order.version == 1));
}

async fn limits_and_caps_hold_under_concurrency(world: &World) {
    let mut dice = dice();
    let product = world.product("TV", 1_000, Some(2)).await;
    let capped = Sale {
        quantity: Some(15),
        per_user_limit: Some(1),
        ends_at: Timestamp::from_millis(OPENS + 1_000),
        ..sale(1, product.0, OPENS, OPENS + 1_000)
    };
    world.sale(capped.clone()).await;
    let purchase = |user: &str, in_sale: bool| {
        if in_sale { buy_in(&capped, user) } else { buy(product, user, 1) }
    };
    let batches: Vec<Vec<_>> = (0..12)
        .map(|_| {
            let users = 0..20;
            users.map(|u| purchase(&format!("u{u}"), dice.random_bool(0.5))).collect()
        })
        .collect();
    let all: Vec<_> = batches.iter().flatten().map(|purchase| purchase.id).collect();
    settle_all(&world.ledger, batches, &mut dice).await;
    let orders = world.ledger.orders(&all).await.unwrap();
    let sold = |user: Option<&str>, in_sale: bool| {
        let theirs = orders.iter().filter(|order| order.status == Status::Confirmed);
        let terms = theirs.filter_map(|order| order.terms.as_ref());
        terms
            .filter(|terms| user.is_none_or(|user| terms.user_id.as_str() == user))
            .filter(|terms| terms.sale_id.is_some() == in_sale)
            .count()
    };
    assert!(sold(None, true) <= 15, "the sale's quantity");
    for user in (0..20).map(|u| format!("u{u}")) {
        assert!(sold(Some(&user), true) <= 1, "{user} in the sale");
        assert!(sold(Some(&user), false) <= 2, "{user} outside");
    }
}

async fn a_key_sent_to_many_settlers_buys_once(world: &World) {
    let product = world.product("TV", 1_000, None).await;
    let batch = || vec![with_key(buy(product, "ann", 1), "k"), buy(product, "bob", 1)];
    let batches: Vec<_> = (0..12).map(|_| batch()).collect();
    settle_all(&world.ledger, batches, &mut dice()).await;
    assert_eq!(world.stock(product).await.2, 1 + 12);
}

async fn restocks_and_purchases_do_not_lose_each_other(world: &World) {
    let product = world.product("TV", 0, None).await;
    let name = shared::domain::ProductRef::Id(product);
    let restock = async || world.ledger.restock(&name, 1, &tester()).await.unwrap();
    let buy_one = async |n: usize| {
        let recorded = world.record(&[buy(product, &format!("u{n}"), 1)]).await;
        outcome(order_of(&recorded.settled[0])).is_ok()
    };
    let (restocked, bought) =
        futures::join!(join_all((0..20).map(|_| restock())), join_all((0..20).map(buy_one)),);
    let sold: i64 = bought.into_iter().map(i64::from).sum();
    assert_eq!(restocked.len(), 20);
    assert_eq!(world.stock(product).await, (20, 0, sold, 1 + 20 + sold));
}
