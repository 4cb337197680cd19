//! Purchases inside a sale, judged by the moment of acceptance.

use shared::domain::stock::SaleLeft;
use shared::domain::testing::sale;
use shared::domain::{ProductRef, Purchase, Reason, Sale, SaleId, Timestamp};

use crate::support::{OPENS, SOLD, SOLD_OUT, World, both_families, buy_in};

both_families!(
    a_purchase_counts_by_the_moment_it_was_accepted,
    a_cancelled_or_unknown_sale_refuses,
    a_sale_of_another_product_refuses,
    a_capped_sale_sells_no_more_than_its_quantity,
    the_live_sale_s_remainder_is_part_of_the_level,
    a_sale_that_is_over_keeps_its_product_from_the_base_price,
);

fn open(id: i64, product: shared::domain::ProductId) -> Sale {
    sale(id, product.0, OPENS, OPENS + 1_000)
}

async fn a_purchase_counts_by_the_moment_it_was_accepted(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = open(1, product);
    world.sale(sale.clone()).await;
    let at =
        |ms| Purchase { accepted_at: Timestamp::from_millis(OPENS + ms), ..buy_in(&sale, "ann") };
    let batch = [at(-1), at(0), at(999), at(1_000)];
    let expected = [Err(Reason::SaleNotStarted), SOLD, SOLD, Err(Reason::SaleEnded)];
    assert_eq!(world.outcomes(&batch).await, expected);
}

async fn a_cancelled_or_unknown_sale_refuses(world: &World) {
    let product = world.product("TV", 9, None).await;
    let cancelled = Sale { cancelled: true, ..open(1, product) };
    world.sale(cancelled.clone()).await;
    let batch = [buy_in(&cancelled, "ann"), buy_in(&open(404, product), "ann")];
    assert_eq!(world.outcomes(&batch).await, [Err(Reason::SaleCancelled); 2]);
}

async fn a_sale_of_another_product_refuses(world: &World) {
    let (tv, pc) = (world.product("TV", 9, None).await, world.product("PC", 9, None).await);
    let sale = Sale { quantity: Some(5), ..open(1, pc) };
    world.sale(sale.clone()).await;
    let mut purchase = buy_in(&sale, "ann");
    purchase.terms.product_id = tv;
    assert_eq!(world.outcomes(&[purchase]).await, [Err(Reason::SaleCancelled)]);
}

async fn a_capped_sale_sells_no_more_than_its_quantity(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = Sale { quantity: Some(3), ..open(1, product) };
    world.sale(sale.clone()).await;
    let buy = |user| buy_in(&sale, user);
    assert_eq!(world.outcomes(&[buy("ann"), buy("bob")]).await, [SOLD, SOLD]);
    assert_eq!(world.outcomes(&[buy("cat"), buy("dan")]).await, [SOLD, SOLD_OUT]);
    assert_eq!(world.stock(product).await.2, 3);
}

async fn the_live_sale_s_remainder_is_part_of_the_level(world: &World) {
    let product = world.product("TV", 9, None).await;
    let far = 100 * 365 * 86_400_000;
    let live = Sale {
        quantity: Some(5),
        ends_at: Timestamp::from_millis(OPENS + far),
        ..open(7, product)
    };
    let before = world.level(product).await;
    world.sale(live.clone()).await;
    let announcement = world.announced(&[buy_in(&live, "ann")]).await;
    let left = Some(SaleLeft { sale_id: SaleId(7), sale_left: 4 });
    assert_eq!(announcement.levels[0].sale, left);
    assert_eq!(announcement.levels, [world.level(product).await]);
    assert_eq!(world.ledger.pulse().await.unwrap().levels, announcement.levels);
    assert_eq!((before.sale, before.version), (None, 1));
}

async fn a_sale_that_is_over_keeps_its_product_from_the_base_price(world: &World) {
    let product = world.product("TV", 9, None).await;
    world.sale(open(1, product)).await;
    world.sale(sale(2, product.0, OPENS + 1_000, OPENS + 2_000)).await;
    let catalogue = world.ledger.catalogue().await.unwrap();
    let product = catalogue.find(&ProductRef::Id(product)).unwrap();
    let offer = |ms| catalogue.offer(product, Timestamp::from_millis(OPENS + ms));
    assert_eq!(offer(9_000).err(), Some(Reason::SaleEnded));
    // Of the sales that are over, one is enough to say so.
    assert_eq!(offer(1_500).unwrap().sale.map(|sale| sale.id), Some(SaleId(2)));
    assert_eq!(offer(500).err(), Some(Reason::SaleNotStarted));
}
