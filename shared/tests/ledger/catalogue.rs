//! Products and the catalogue's version.

use shared::domain::ProductRef;
use shared::domain::testing::tester;
use shared::ports::{LedgerError, ProductChange};

use crate::support::{World, both_families, buy, new_product};

both_families!(
    a_new_product_is_in_the_catalogue_as_described,
    a_sku_belongs_to_one_product,
    a_product_begins_with_no_less_than_nothing,
    a_change_changes_only_what_it_names,
    the_catalogue_s_version_rises_with_every_change_and_no_purchase,
    the_pulse_shows_active_products,
    the_tracking_key_stays,
);

async fn a_new_product_is_in_the_catalogue_as_described(world: &World) {
    let new = new_product("TV", 7, Some(2));
    let (product, announcement) = world.ledger.create_product(&new, &tester()).await.unwrap();
    let level = announcement.levels[0];
    assert_eq!((&product.sku, &product.name, product.price), (&new.sku, &new.name, new.price));
    assert_eq!((product.per_user_limit, product.active), (Some(2), true));
    assert_eq!((level.counts.total, level.counts.available(), level.version), (7, 7, 1));
    let catalogue = world.ledger.catalogue().await.unwrap();
    for name in [ProductRef::Id(product.id), ProductRef::Sku(new.sku)] {
        assert_eq!(**catalogue.find(&name).unwrap(), product);
    }
}

async fn a_sku_belongs_to_one_product(world: &World) {
    world.product("TV", 1, None).await;
    let error =
        world.ledger.create_product(&new_product("TV", 1, None), &tester()).await.unwrap_err();
    assert!(matches!(error, LedgerError::SkuTaken), "{error}");
    world.product("TV-2", 1, None).await;
}

async fn a_product_begins_with_no_less_than_nothing(world: &World) {
    let error =
        world.ledger.create_product(&new_product("TV", -1, None), &tester()).await.unwrap_err();
    assert!(matches!(error, LedgerError::StockInUse { available: 0 }), "{error}");
}

async fn a_change_changes_only_what_it_names(world: &World) {
    let (old, _) =
        world.ledger.create_product(&new_product("TV", 7, Some(2)), &tester()).await.unwrap();
    let name = ProductRef::Id(old.id);
    let change = ProductChange { price_minor: Some(5), ..ProductChange::default() };
    let (new, _) = world.ledger.change_product(&name, &change, &tester()).await.unwrap();
    assert_eq!(new, change.applied_to(&old));
    assert_eq!((new.price.minor, &new.name, new.per_user_limit), (5, &old.name, Some(2)));
    let change = ProductChange {
        name: Some("Tele".into()),
        description: Some(String::new()),
        active: Some(false),
        per_user_limit: Some(None),
        price_minor: None,
    };
    let (newest, _) = world.ledger.change_product(&name, &change, &tester()).await.unwrap();
    assert_eq!(newest, change.applied_to(&new));
    assert_eq!(**world.ledger.catalogue().await.unwrap().find(&name).unwrap(), newest);
}

async fn the_catalogue_s_version_rises_with_every_change_and_no_purchase(world: &World) {
    let version = async || world.ledger.pulse().await.unwrap().catalogue_version;
    let first = version().await;
    let product = world.product("TV", 7, None).await;
    assert_eq!(version().await, first + 1);
    world.change(product, ProductChange::default()).await;
    assert_eq!(version().await, first + 2);
    world.record(&[buy(product, "ann", 1)]).await;
    world.ledger.restock(&ProductRef::Id(product), 1, &tester()).await.unwrap();
    assert_eq!(version().await, first + 2);
    assert_eq!(world.ledger.catalogue().await.unwrap().version, first + 2);
}

async fn the_pulse_shows_active_products(world: &World) {
    assert_eq!(world.ledger.pulse().await.unwrap().levels, []);
    let (tv, pc) = (world.product("TV", 1, None).await, world.product("PC", 2, None).await);
    let off = ProductChange { active: Some(false), ..ProductChange::default() };
    world.change(tv, off).await;
    let pulse = world.ledger.pulse().await.unwrap();
    assert_eq!(pulse.levels, [world.level(pc).await]);
    assert!(pulse.now.millis() > crate::support::OPENS);
}

async fn the_tracking_key_stays(world: &World) {
    let key = world.ledger.tracking_key().await.unwrap();
    assert_eq!(world.ledger.tracking_key().await.unwrap(), key);
}
