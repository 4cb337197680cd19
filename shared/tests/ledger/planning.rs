//! Planning sales and calling them off.

use futures::future::join_all;
use shared::domain::testing::tester;
use shared::domain::{ProductId, ProductRef, Reason, Sale, SaleId, Sku, Status, Timestamp};
use shared::ports::{LedgerError, NewSale, SaleChange, SaleQuery};

use crate::support::{SOLD, World, both_families, buy_in};

both_families!(
    a_planned_sale_is_read_back_as_planned,
    a_sale_is_planned_by_sku_and_for_a_product_that_exists,
    sales_of_a_product_do_not_overlap,
    adjacent_sales_do_not_overlap,
    a_cancelled_sale_makes_room,
    a_sale_ends_after_it_starts,
    a_cancelled_sale_refuses_what_is_settled_afterwards,
    a_sale_that_is_called_off_twice_is_called_off_once,
);

pub(crate) const HOUR_MS: i64 = 3_600_000;

impl World {
    /// The moment so many hours from now, by the ledger's clock.
    pub(crate) async fn in_hours(&self, hours: i64) -> Timestamp {
        self.ledger.pulse().await.unwrap().now.plus_millis(hours * HOUR_MS)
    }

    /// A plain sale of `product` between so many hours from now.
    pub(crate) async fn new_sale(&self, product: ProductId, from: i64, to: i64) -> NewSale {
        let (starts_at, ends_at) = (self.in_hours(from).await, self.in_hours(to).await);
        new_sale(product, starts_at, ends_at)
    }

    /// Plans such a sale.
    pub(crate) async fn planned(&self, product: ProductId, from: i64, to: i64) -> Sale {
        let new = self.new_sale(product, from, to).await;
        self.ledger.create_sale(&new, &tester()).await.unwrap().0
    }

    pub(crate) async fn changed(&self, sale: &Sale, change: SaleChange) -> Sale {
        self.try_change(sale, change).await.unwrap()
    }

    pub(crate) async fn try_change(
        &self,
        sale: &Sale,
        change: SaleChange,
    ) -> Result<Sale, LedgerError> {
        Ok(self.ledger.change_sale(sale.id, &change, &tester()).await?.0)
    }

    /// The sale as the ledger has it.
    pub(crate) async fn stored(&self, id: SaleId) -> Sale {
        let query = SaleQuery { phase: None, after: SaleId(id.0 - 1), limit: 1 };
        let (_, mut sales) = self.ledger.sales(&query).await.unwrap();
        assert_eq!(sales.len(), 1, "{id}");
        sales.remove(0)
    }
}

pub(crate) fn new_sale(product: ProductId, starts_at: Timestamp, ends_at: Timestamp) -> NewSale {
    NewSale {
        product: ProductRef::Id(product),
        price_minor: 49_999,
        starts_at,
        ends_at,
        per_user_limit: None,
        hold_seconds: None,
        waiting_room: None,
        quantity: None,
    }
}

async fn a_planned_sale_is_read_back_as_planned(world: &World) {
    let product = world.product("TV", 9, None).await;
    let new = NewSale {
        per_user_limit: Some(2),
        hold_seconds: Some(90),
        quantity: Some(5),
        ..world.new_sale(product, 1, 2).await
    };
    let (sale, _) = world.ledger.create_sale(&new, &tester()).await.unwrap();
    assert_eq!((sale.product_id, sale.price.minor), (product, 49_999));
    assert_eq!(sale.price.currency.code(), "USD");
    assert_eq!((sale.starts_at, sale.ends_at), (new.starts_at, new.ends_at));
    assert_eq!((sale.per_user_limit, sale.hold_seconds), (Some(2), Some(90)));
    assert_eq!((sale.quantity, sale.taken, sale.cancelled), (Some(5), 0, false));
    assert_eq!(world.stored(sale.id).await, sale);
    let catalogue = world.ledger.catalogue().await.unwrap();
    let product = catalogue.find(&ProductRef::Id(product)).unwrap();
    let offer = catalogue.offer(product, sale.starts_at).unwrap();
    assert_eq!(offer.sale, Some(&sale));
    let early = catalogue.offer(product, sale.starts_at.plus_millis(-1));
    assert_eq!(early, Err(Reason::SaleNotStarted));
}

async fn a_sale_is_planned_by_sku_and_for_a_product_that_exists(world: &World) {
    let product = world.product("TV", 9, None).await;
    let new = world.new_sale(product, 1, 2).await;
    let named = |product| NewSale { product, ..new.clone() };
    let unknown = [ProductRef::Id(ProductId(404)), ProductRef::Sku(Sku::parse("PC").unwrap())];
    for product in unknown {
        let error = world.ledger.create_sale(&named(product), &tester()).await.unwrap_err();
        assert!(matches!(error, LedgerError::ProductNotFound), "{error}");
    }
    let by_sku = named(ProductRef::Sku(Sku::parse("TV").unwrap()));
    assert_eq!(world.ledger.create_sale(&by_sku, &tester()).await.unwrap().0.product_id, product);
    let error =
        world.ledger.change_sale(SaleId(404), &SaleChange::default(), &tester()).await.unwrap_err();
    assert!(matches!(error, LedgerError::SaleNotFound), "{error}");
    let error = world.ledger.cancel_sale(SaleId(404), &tester()).await.unwrap_err();
    assert!(matches!(error, LedgerError::SaleNotFound), "{error}");
}

/// Whose way a sale would be in.
#[track_caller]
pub(crate) fn overlapped<T: std::fmt::Debug>(outcome: Result<T, LedgerError>) -> SaleId {
    match outcome.unwrap_err() {
        LedgerError::SaleOverlap(other) => other,
        error => panic!("{error}"),
    }
}

async fn sales_of_a_product_do_not_overlap(world: &World) {
    let (tv, pc) = (world.product("TV", 9, None).await, world.product("PC", 9, None).await);
    let sale = world.planned(tv, 10, 20).await;
    for (from, to) in [(5, 11), (19, 25), (12, 13), (5, 25), (10, 20)] {
        let new = world.new_sale(tv, from, to).await;
        assert_eq!(
            overlapped(world.ledger.create_sale(&new, &tester()).await),
            sale.id,
            "{from} to {to}"
        );
    }
    world.planned(pc, 10, 20).await;
    assert_eq!(world.stock(tv).await.3, 2, "what was refused wrote nothing");
}

async fn adjacent_sales_do_not_overlap(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = world.planned(product, 10, 20).await;
    let (before, after) = (sale.starts_at, sale.ends_at);
    let next = new_sale(product, after, after.plus_millis(1));
    let previous = new_sale(product, before.plus_millis(-1), before);
    for new in [next, previous] {
        world.ledger.create_sale(&new, &tester()).await.unwrap();
    }
    let touching = new_sale(product, before.plus_millis(-9), before.plus_millis(1));
    assert!(world.ledger.create_sale(&touching, &tester()).await.is_err());
}

async fn a_cancelled_sale_makes_room(world: &World) {
    let product = world.product("TV", 9, None).await;
    let first = world.planned(product, 10, 20).await;
    let again = world.new_sale(product, 15, 25).await;
    assert_eq!(overlapped(world.ledger.create_sale(&again, &tester()).await), first.id);
    world.ledger.cancel_sale(first.id, &tester()).await.unwrap();
    let second = world.ledger.create_sale(&again, &tester()).await.unwrap().0;
    assert!(second.id > first.id);
}

async fn a_sale_ends_after_it_starts(world: &World) {
    let product = world.product("TV", 9, None).await;
    for (from, to) in [(2, 1), (1, 1)] {
        let at = world.in_hours(from).await;
        let new = new_sale(product, at, at.plus_millis((to - from) * HOUR_MS));
        let error = world.ledger.create_sale(&new, &tester()).await.unwrap_err();
        assert!(matches!(error, LedgerError::SaleBackwards), "{error}");
    }
    let sale = world.planned(product, 1, 2).await;
    let ends_at = Some(sale.starts_at);
    let error = world.try_change(&sale, SaleChange { ends_at, ..SaleChange::default() }).await;
    assert!(matches!(error, Err(LedgerError::SaleBackwards)), "{error:?}");
}

async fn a_cancelled_sale_refuses_what_is_settled_afterwards(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = world.planned(product, -1, 1).await;
    let (before, after) = (buy_in(&sale, "ann"), buy_in(&sale, "bob"));
    assert_eq!(world.outcomes(std::slice::from_ref(&before)).await, [SOLD]);
    world.ledger.cancel_sale(sale.id, &tester()).await.unwrap();
    assert_eq!(world.outcomes(&[after]).await, [Err(Reason::SaleCancelled)]);
    assert_eq!(world.order(before.id).await.status, Status::Confirmed);
    let catalogue = world.ledger.catalogue().await.unwrap();
    let product = catalogue.find(&ProductRef::Id(product)).unwrap();
    let offer = catalogue.offer(product, world.in_hours(0).await).unwrap();
    assert_eq!((offer.sale, offer.unit_price), (None, product.price));
}

async fn a_sale_that_is_called_off_twice_is_called_off_once(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = world.planned(product, 1, 2).await;
    let (first, announcement) = world.ledger.cancel_sale(sale.id, &tester()).await.unwrap();
    assert!(announcement.is_some());
    let level = world.level(product).await;
    let (second, announcement) = world.ledger.cancel_sale(sale.id, &tester()).await.unwrap();
    assert_eq!((&second, announcement), (&first, None));
    assert_eq!(second, Sale { cancelled: true, ..sale });
    assert_eq!(world.level(product).await, level);
    assert_eq!(world.stored(first.id).await, first);
}

#[tokio::test]
async fn of_sales_planned_at_once_for_the_same_time_one_wins() {
    let world = World::postgres().await;
    let product = world.product("TV", 9, None).await;
    let plans = join_all((0..8).map(|n| world.new_sale(product, 10 - n, 12 + n))).await;
    let by = tester();
    let planned = join_all(plans.iter().map(|new| world.ledger.create_sale(new, &by))).await;
    let (won, lost): (Vec<_>, Vec<_>) = planned.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    let winner = won.into_iter().next().unwrap().unwrap().0;
    for outcome in lost {
        assert_eq!(overlapped(outcome), winner.id);
    }
    assert_eq!(world.stock(product).await.3, 2);
}
