//! Restocking, and the version that orders everything.

use shared::domain::testing::tester;
use shared::domain::{ProductId, ProductRef, Sku};
use shared::ports::{LedgerError, ProductChange};

use crate::support::{SOLD, World, both_families, buy, hold};

both_families!(
    a_restock_adds_and_withdraws_units,
    held_and_sold_units_cannot_be_withdrawn,
    versions_rise_by_one_per_change,
    a_product_is_found_by_sku_too,
    stock_of_unknown_products_is_left_out,
);

async fn a_restock_adds_and_withdraws_units(world: &World) {
    let product = world.product("TV", 0, None).await;
    let tv = ProductRef::Id(product);
    let level = world.ledger.restock(&tv, 5, &tester()).await.unwrap().levels[0];
    assert_eq!(level, world.level(product).await);
    world.ledger.restock(&tv, -3, &tester()).await.unwrap();
    assert_eq!(world.stock(product).await, (2, 0, 0, 3));
    assert_eq!(world.outcomes(&[buy(product, "ann", 2)]).await, [SOLD]);
}

async fn held_and_sold_units_cannot_be_withdrawn(world: &World) {
    let product = world.product("TV", 10, None).await;
    let tv = ProductRef::Id(product);
    world.record(&[buy(product, "ann", 3), hold(product, "bob", 2)]).await;
    for delta in [-6, i64::MIN, i64::MAX] {
        let error = world.ledger.restock(&tv, delta, &tester()).await.unwrap_err();
        assert!(matches!(error, LedgerError::StockInUse { available: 5 }), "{error}");
    }
    world.ledger.restock(&tv, -5, &tester()).await.unwrap();
    assert_eq!(world.stock(product).await, (5, 2, 3, 3));
}

async fn versions_rise_by_one_per_change(world: &World) {
    let product = world.product("TV", 10, None).await;
    let tv = ProductRef::Id(product);
    let mut versions = vec![world.level(product).await.version];
    versions.push(
        world.announced(&[buy(product, "a", 1), buy(product, "b", 1)]).await.levels[0].version,
    );
    versions.push(world.ledger.restock(&tv, 1, &tester()).await.unwrap().levels[0].version);
    versions.push(world.change(product, ProductChange::default()).await.version);
    world.ledger.restock(&tv, -1_000, &tester()).await.unwrap_err();
    versions.push(world.announced(&[hold(product, "c", 1)]).await.levels[0].version);
    assert_eq!(versions, [1, 2, 3, 4, 5]);
    assert_eq!(world.level(product).await.version, 5);
}

async fn a_product_is_found_by_sku_too(world: &World) {
    let product = world.product("TV", 0, None).await;
    let sku = |text| ProductRef::Sku(Sku::parse(text).unwrap());
    assert_eq!(
        world.ledger.restock(&sku("TV"), 1, &tester()).await.unwrap().levels[0].product_id,
        product
    );
    for unknown in [sku("PC"), ProductRef::Id(ProductId(404))] {
        let error = world.ledger.restock(&unknown, 1, &tester()).await.unwrap_err();
        assert!(matches!(error, LedgerError::ProductNotFound), "{error}");
        let change = ProductChange::default();
        let error = world.ledger.change_product(&unknown, &change, &tester()).await.unwrap_err();
        assert!(matches!(error, LedgerError::ProductNotFound), "{error}");
    }
}

async fn stock_of_unknown_products_is_left_out(world: &World) {
    let product = world.product("TV", 7, None).await;
    let levels = world.ledger.stock(&[ProductId(404), product]).await.unwrap();
    assert_eq!(levels, [world.level(product).await]);
}
