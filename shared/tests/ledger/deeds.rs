//! What operators change is in the audit log, and what they try in vain is not.

use shared::domain::testing::tester;
use shared::domain::{Act, Actor, Command, ProductRef, SaleId};
use shared::ports::{AuditQuery, NewSale, ProductChange, SaleChange};

use crate::life::command;
use crate::support::{World, buy, families, hold, new_product};

families!(
    every_change_of_products_and_sales_is_logged_in_its_transaction,
    what_was_refused_is_not_logged,
    orders_that_an_operator_moved_are_logged_and_a_users_own_are_not,
);

fn sku(sku: &str) -> ProductRef {
    ProductRef::Sku(shared::domain::Sku::parse(sku).unwrap())
}

fn zoe() -> Actor {
    Actor { name: "user:zoe".into(), origin: "192.0.2.1".into() }
}

fn planned(world_now_ms: i64) -> NewSale {
    NewSale {
        product: sku("TV"),
        price_minor: 100,
        starts_at: shared::domain::Timestamp::from_millis(world_now_ms),
        ends_at: shared::domain::Timestamp::from_millis(world_now_ms + 3_600_000),
        per_user_limit: None,
        hold_seconds: None,
        waiting_room: None,
        quantity: Some(5),
    }
}

impl World {
    async fn logged(&self) -> Vec<(String, String)> {
        let zoes = Some("user:zoe".to_owned());
        let query = AuditQuery { actor: zoes, limit: 100, ..AuditQuery::default() };
        let log = self.ledger.audit_log(&query).await.unwrap();
        assert!(log.iter().all(|entry| entry.origin == "192.0.2.1"), "{log:?}");
        log.into_iter().map(|entry| (entry.action, entry.subject)).collect()
    }

    async fn now_ms(&self) -> i64 {
        self.ledger.pulse().await.unwrap().now.millis()
    }
}

async fn every_change_of_products_and_sales_is_logged_in_its_transaction(world: &World) {
    let (ledger, by) = (&world.ledger, zoe());
    let product = ledger.create_product(&new_product("TV", 9, None), &by).await.unwrap().0.id;
    let change = ProductChange { price_minor: Some(500), ..ProductChange::default() };
    ledger.change_product(&sku("TV"), &change, &by).await.unwrap();
    ledger.restock(&sku("TV"), 3, &by).await.unwrap();
    let new = planned(world.now_ms().await + 3_600_000);
    let sale = ledger.create_sale(&new, &by).await.unwrap().0;
    let change = SaleChange { price_minor: Some(90), ..SaleChange::default() };
    ledger.change_sale(sale.id, &change, &by).await.unwrap();
    for _ in 0..2 {
        ledger.cancel_sale(sale.id, &by).await.unwrap();
    }
    let (product, sale) = (format!("products/{product}"), format!("flash-sales/{}", sale.id));
    let expected = [
        ("product.create", &product),
        ("product.change", &product),
        ("stock.move", &product),
        ("sale.plan", &sale),
        ("sale.change", &sale),
        ("sale.cancel", &sale),
    ];
    assert_eq!(world.logged().await, expected.map(|(a, s)| (a.to_owned(), s.clone())));
    let query = AuditQuery { limit: 100, ..AuditQuery::default() };
    let log = ledger.audit_log(&query).await.unwrap();
    assert_eq!((&log[1].details["priceMinor"], &log[2].details["delta"]), (&500.into(), &3.into()));
    assert_eq!(
        (&log[3].details["quantity"], &log[4].details["priceMinor"]),
        (&5.into(), &90.into())
    );
}

async fn what_was_refused_is_not_logged(world: &World) {
    world.product("TV", 2, None).await;
    let (ledger, by) = (&world.ledger, zoe());
    ledger.create_product(&new_product("TV", 1, None), &by).await.unwrap_err();
    ledger.restock(&sku("TV"), -3, &by).await.unwrap_err();
    let change = ProductChange::default();
    ledger
        .change_product(&ProductRef::Id(shared::domain::ProductId(404)), &change, &by)
        .await
        .unwrap_err();
    ledger.cancel_sale(SaleId(404), &by).await.unwrap_err();
    let now = world.now_ms().await;
    ledger.create_sale(&planned(now), &tester()).await.unwrap();
    ledger.create_sale(&planned(now), &by).await.unwrap_err();
    assert_eq!(world.logged().await, []);
}

async fn orders_that_an_operator_moved_are_logged_and_a_users_own_are_not(world: &World) {
    let tv = world.product("TV", 9, None).await;
    let (sold, held, own) = (buy(tv, "ann", 1), hold(tv, "bob", 1), buy(tv, "cid", 1));
    world.outcomes(&[sold.clone(), held.clone(), own.clone()]).await;
    let by = Some(zoe());
    let fulfil = Command { by: by.clone(), ..command(sold.id, Act::Fulfil) };
    let cancel = Command { by, ..command(held.id, Act::Cancel) };
    let theirs = command(own.id, Act::Cancel);
    // What comes again changes nothing, and is logged once.
    for _ in 0..2 {
        let commands = [fulfil.clone(), cancel.clone(), theirs.clone()];
        let carried = world.ledger.advance(&commands).await.unwrap();
        assert!(carried.results.iter().all(Result::is_ok), "{carried:?}");
    }
    let expected = [("order.fulfil", sold.id), ("order.cancel", held.id)];
    let expected = expected.map(|(action, id)| (action.to_owned(), format!("orders/{id}")));
    assert_eq!(world.logged().await, expected);
}
