//! Sales by phase: lists, and the news that a sale opened or closed.

use futures::future::join_all;
use shared::domain::testing::tester;
use shared::domain::{NoticeEvent, Phase, ProductId, Sale, SaleId};
use shared::ports::{Announcement, SaleChange, SaleQuery};

use crate::support::{World, both_families};

both_families!(
    sales_are_listed_by_phase_in_pages,
    a_sale_that_opens_and_closes_is_announced_once_each,
    a_sale_that_nobody_noticed_opening_is_announced_in_turn,
    a_cancelled_sale_neither_opens_nor_closes,
    the_news_of_an_opening_is_owed_with_what_is_left,
);

impl World {
    async fn listed(&self, phase: Option<Phase>, after: i64, limit: usize) -> Vec<SaleId> {
        let query = SaleQuery { phase, after: SaleId(after), limit };
        let (now, sales) = self.ledger.sales(&query).await.unwrap();
        assert!(sales.iter().all(|sale| phase.is_none_or(|phase| sale.phase(now) == phase)));
        sales.into_iter().map(|sale| sale.id).collect()
    }

    /// What is new about sales since the last call.
    async fn news(&self) -> Vec<(SaleId, NoticeEvent)> {
        news(self.ledger.note_phases().await.unwrap())
    }

    /// Makes a planned sale begin.
    async fn opened(&self, sale: &Sale) -> Sale {
        let starts_at = Some(self.in_hours(-1).await);
        self.changed(sale, SaleChange { starts_at, ..SaleChange::default() }).await
    }

    /// Makes an open sale end.
    async fn closed(&self, sale: &Sale) -> Sale {
        let ends_at = Some(self.in_hours(0).await.plus_millis(-1));
        self.changed(sale, SaleChange { ends_at, ..SaleChange::default() }).await
    }
}

fn news(announcement: Option<Announcement>) -> Vec<(SaleId, NoticeEvent)> {
    let notices = announcement.map(|announcement| announcement.notices).unwrap_or_default();
    notices.into_iter().map(|notice| (notice.sale_id.unwrap(), notice.event)).collect()
}

async fn sales_are_listed_by_phase_in_pages(world: &World) {
    let product = world.product("TV", 9, None).await;
    assert_eq!(world.listed(None, 0, 9).await, []);
    let ended = [world.planned(product, -9, -8).await.id, world.planned(product, -7, -6).await.id];
    let live = world.planned(product, -1, 1).await.id;
    let upcoming = [3, 5, 7].map(|hour| world.planned(product, hour, hour + 1));
    let upcoming: Vec<_> = join_all(upcoming).await.into_iter().map(|sale| sale.id).collect();
    let mut upcoming = upcoming;
    upcoming.sort_unstable();
    let cancelled = upcoming.remove(1);
    world.ledger.cancel_sale(cancelled, &tester()).await.unwrap();
    assert_eq!(world.listed(Some(Phase::Ended), 0, 9).await, ended);
    assert_eq!(world.listed(Some(Phase::Live), 0, 9).await, [live]);
    assert_eq!(world.listed(Some(Phase::Upcoming), 0, 9).await, upcoming);
    assert_eq!(world.listed(Some(Phase::Cancelled), 0, 9).await, [cancelled]);
    let all = world.listed(None, 0, 9).await;
    assert!(all.is_sorted() && all.len() == 6, "{all:?}");
    assert_eq!(world.listed(None, 0, 4).await, all[..4]);
    assert_eq!(world.listed(None, all[3].0, 4).await, all[4..]);
    assert_eq!(world.listed(Some(Phase::Upcoming), upcoming[0].0, 1).await, upcoming[1..]);
    assert_eq!(world.listed(None, i64::MAX, 4).await, []);
}

async fn a_sale_that_opens_and_closes_is_announced_once_each(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = world.planned(product, 1, 2).await;
    assert_eq!(world.news().await, []);
    let sale = world.opened(&sale).await;
    assert_eq!(world.news().await, [(sale.id, NoticeEvent::SaleStarted)]);
    assert_eq!(world.news().await, []);
    world.closed(&sale).await;
    assert_eq!(world.news().await, [(sale.id, NoticeEvent::SaleEnded)]);
    assert_eq!(world.news().await, []);
}

async fn a_sale_that_nobody_noticed_opening_is_announced_in_turn(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = world.planned(product, -2, -1).await;
    assert_eq!(world.news().await, [(sale.id, NoticeEvent::SaleStarted)]);
    assert_eq!(world.news().await, [(sale.id, NoticeEvent::SaleEnded)]);
    assert_eq!(world.news().await, []);
}

async fn a_cancelled_sale_neither_opens_nor_closes(world: &World) {
    let product = world.product("TV", 9, None).await;
    let (early, late) = (world.planned(product, -2, 1).await, world.planned(product, 1, 2).await);
    assert_eq!(world.news().await, [(early.id, NoticeEvent::SaleStarted)]);
    let late = world.ledger.cancel_sale(late.id, &tester()).await.unwrap().0;
    world.ledger.cancel_sale(early.id, &tester()).await.unwrap();
    assert!(late.cancelled);
    assert_eq!(world.news().await, []);
}

async fn the_news_of_an_opening_is_owed_with_what_is_left(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = world.planned(product, 1, 2).await;
    let change = SaleChange { quantity: Some(Some(4)), ..SaleChange::default() };
    world.changed(&sale, change).await;
    world.opened(&sale).await;
    clear(world).await;
    let level = world.level(product).await;
    let announcement = world.ledger.note_phases().await.unwrap().unwrap();
    assert_eq!(announcement.levels, [level]);
    assert_eq!(level.sale.unwrap().sale_left, 4);
    assert_eq!(world.level(product).await, level, "no version rises for it");
    world.let_leases_run_out().await;
    assert_eq!(world.ledger.lease_dues(9).await.unwrap(), [announcement]);
}

/// Forgets everything owed so far.
async fn clear(world: &World) {
    world.let_leases_run_out().await;
    let dues = world.ledger.lease_dues(99).await.unwrap();
    let dues: Vec<_> = dues.into_iter().filter_map(|announcement| announcement.due).collect();
    world.ledger.clear_dues(&dues).await.unwrap();
}

#[tokio::test]
async fn of_many_who_look_at_once_one_announces() {
    let world = World::postgres().await;
    let products: Vec<ProductId> =
        join_all(["A", "B", "C"].map(|sku| world.product(sku, 9, None))).await;
    let sales = join_all(products.iter().map(|product| world.planned(*product, -2, -1))).await;
    let mut told = Vec::new();
    // Whoever finds a sale in somebody else's hands passes it by: look until nothing is left.
    loop {
        let looks = join_all((0..8).map(|_| world.news())).await;
        if looks.iter().all(Vec::is_empty) {
            break;
        }
        told.extend(looks.into_iter().flatten());
    }
    told.sort_unstable();
    let mut expected: Vec<_> = sales
        .iter()
        .flat_map(|sale| [(sale.id, NoticeEvent::SaleStarted), (sale.id, NoticeEvent::SaleEnded)])
        .collect();
    expected.sort_unstable();
    assert_eq!(told, expected);
}
