//! Changing sales that are planned or under way.

use futures::future::join_all;
use shared::domain::room::RoomRules;
use shared::domain::testing::tester;
use shared::domain::{Act, Notice, NoticeEvent, Phase, Purchase, Reason, Sale, SaleId};
use shared::ports::{Announcement, LedgerError, NewSale, SaleChange};

use crate::life::command;
use crate::planning::overlapped;
use crate::support::{HELD, SOLD, SOLD_OUT, World, both_families, buy_in, hold};

both_families!(
    a_change_changes_only_what_it_names,
    a_sale_is_not_moved_over_another,
    the_start_of_a_live_sale_is_fixed,
    a_sale_that_is_over_or_called_off_is_fixed,
    a_quantity_is_not_set_below_what_is_taken,
    a_quantity_set_later_counts_what_was_taken_before,
    a_limit_set_later_counts_what_was_taken_before,
    what_was_accepted_before_the_end_is_good_after_it,
    what_is_sold_while_a_count_begins_is_counted,
    every_write_raises_both_versions_and_is_owed,
);

fn quantity(units: Option<i64>) -> SaleChange {
    SaleChange { quantity: Some(units), ..SaleChange::default() }
}

fn limit(units: Option<u32>) -> SaleChange {
    SaleChange { per_user_limit: Some(units), ..SaleChange::default() }
}

/// `user` holds `units` in `sale` for ten minutes.
fn hold_in(sale: &Sale, user: &str, units: u32) -> Purchase {
    let mut purchase = hold(sale.product_id, user, units);
    purchase.terms.sale_id = Some(sale.id);
    purchase.accepted_at = sale.starts_at;
    purchase
}

const ROOM: RoomRules = RoomRules {
    admit_per_second: 7,
    max_inside: 8,
    pass_seconds: 9,
    patience_seconds: 10,
    pre_queue_seconds: 11,
};

async fn a_change_changes_only_what_it_names(world: &World) {
    let product = world.product("TV", 9, None).await;
    let old = world.planned(product, 1, 2).await;
    let all = SaleChange {
        price_minor: Some(1),
        starts_at: Some(old.starts_at.plus_millis(7)),
        ends_at: Some(old.ends_at.plus_millis(9)),
        per_user_limit: Some(Some(3)),
        hold_seconds: Some(Some(60)),
        waiting_room: Some(Some(ROOM)),
        quantity: Some(Some(4)),
    };
    let now = world.in_hours(0).await;
    let new = world.changed(&old, all.clone()).await;
    assert_eq!(new, all.applied_to(&old, now).unwrap());
    assert_eq!(world.stored(old.id).await, new);
    assert_eq!(world.changed(&new, SaleChange::default()).await, new);
    let price = SaleChange { price_minor: Some(2), ..SaleChange::default() };
    let newer = world.changed(&new, price).await;
    assert_eq!((newer.price.minor, newer.quantity), (2, Some(4)));
    let lifted = SaleChange {
        per_user_limit: Some(None),
        hold_seconds: Some(None),
        waiting_room: Some(None),
        quantity: Some(None),
        ..SaleChange::default()
    };
    let lifted = world.changed(&newer, lifted).await;
    assert_eq!((lifted.per_user_limit, lifted.hold_seconds, lifted.quantity), (None, None, None));
    assert_eq!(lifted.waiting_room, None);
    assert_eq!(world.stored(old.id).await, lifted);
}

async fn a_sale_is_not_moved_over_another(world: &World) {
    let product = world.product("TV", 9, None).await;
    let first = world.planned(product, 1, 2).await;
    let second = world.planned(product, 3, 4).await;
    let longer = |ends_at| SaleChange { ends_at: Some(ends_at), ..SaleChange::default() };
    let moved = world.try_change(&first, longer(second.starts_at.plus_millis(1))).await;
    assert_eq!(overlapped(moved), second.id);
    assert_eq!(world.stored(first.id).await, first);
    world.changed(&first, longer(second.starts_at)).await;
}

async fn the_start_of_a_live_sale_is_fixed(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = world.planned(product, -1, 1).await;
    let start = |starts_at| SaleChange { starts_at: Some(starts_at), ..SaleChange::default() };
    for ms in [-1, 1] {
        let moved = world.try_change(&sale, start(sale.starts_at.plus_millis(ms))).await;
        assert!(matches!(moved, Err(LedgerError::SaleFixed(Phase::Live))), "{moved:?}");
    }
    // The same start is no move.
    assert_eq!(world.changed(&sale, start(sale.starts_at)).await, sale);
    let ends_at = Some(world.in_hours(3).await);
    let longer = world.changed(&sale, SaleChange { ends_at, ..SaleChange::default() }).await;
    assert_eq!(Some(longer.ends_at), ends_at);
}

async fn a_sale_that_is_over_or_called_off_is_fixed(world: &World) {
    let product = world.product("TV", 9, None).await;
    let over = world.planned(product, -2, -1).await;
    let off = world.planned(product, 1, 2).await;
    world.ledger.cancel_sale(off.id, &tester()).await.unwrap();
    for (sale, phase) in [(over.clone(), Phase::Ended), (off, Phase::Cancelled)] {
        match world.try_change(&sale, limit(Some(1))).await {
            Err(LedgerError::SaleFixed(found)) => assert_eq!(found, phase),
            other => panic!("{other:?}"),
        }
    }
    let cancelled = world.ledger.cancel_sale(over.id, &tester()).await;
    assert!(matches!(cancelled, Err(LedgerError::SaleFixed(Phase::Ended))), "{cancelled:?}");
}

async fn a_quantity_is_not_set_below_what_is_taken(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = world.planned(product, -1, 1).await;
    let sale = world.changed(&sale, quantity(Some(5))).await;
    let batch = [buy_in(&sale, "ann"), hold_in(&sale, "bob", 2)];
    assert_eq!(world.outcomes(&batch).await, [SOLD, HELD]);
    let fewer = world.try_change(&sale, quantity(Some(2))).await;
    assert!(matches!(fewer, Err(LedgerError::SaleTaken { taken: 3 })), "{fewer:?}");
    let level = world.level(product).await;
    let full = world.changed(&sale, quantity(Some(3))).await;
    assert_eq!((full.quantity, full.taken), (Some(3), 3));
    assert_eq!((level.sale.unwrap().sale_left, level.version), (2, 4));
    assert_eq!(world.level(product).await.sale.unwrap().sale_left, 0);
    assert_eq!(world.outcomes(&[buy_in(&sale, "cat")]).await, [SOLD_OUT]);
}

async fn a_quantity_set_later_counts_what_was_taken_before(world: &World) {
    let product = world.product("TV", 20, None).await;
    let other = world.planned(product, -2, -1).await;
    let sale = world.planned(product, -1, 1).await;
    let gone = buy_in(&sale, "dan");
    let batch =
        [buy_in(&sale, "ann"), hold_in(&sale, "bob", 2), buy_in(&other, "cat"), gone.clone()];
    assert_eq!(world.outcomes(&batch).await, [SOLD, HELD, SOLD, SOLD]);
    world.done(command(gone.id, Act::Cancel)).await;
    let fewer = world.try_change(&sale, quantity(Some(2))).await;
    assert!(matches!(fewer, Err(LedgerError::SaleTaken { taken: 3 })), "{fewer:?}");
    assert_eq!(world.changed(&sale, quantity(Some(4))).await.taken, 3);
    assert_eq!(
        world.outcomes(&[buy_in(&sale, "eve"), buy_in(&sale, "eve")]).await,
        [SOLD, SOLD_OUT]
    );
    // Lifted, sold without counting, and set again.
    assert_eq!(world.changed(&sale, quantity(None)).await.taken, 0);
    assert_eq!(world.outcomes(&[buy_in(&sale, "eve")]).await, [SOLD]);
    assert_eq!(world.changed(&sale, quantity(Some(9))).await.taken, 5);
}

async fn a_limit_set_later_counts_what_was_taken_before(world: &World) {
    let product = world.product("TV", 20, None).await;
    let other = world.planned(product, -2, -1).await;
    let sale = world.planned(product, -1, 1).await;
    let gone = buy_in(&sale, "dan");
    let batch =
        [buy_in(&sale, "ann"), hold_in(&sale, "bob", 2), buy_in(&other, "cat"), gone.clone()];
    world.record(&batch).await;
    world.done(command(gone.id, Act::Cancel)).await;
    world.changed(&sale, limit(Some(2))).await;
    let again = ["ann", "ann", "bob", "cat", "cat", "dan"].map(|user| buy_in(&sale, user));
    let full = Err(Reason::LimitReached);
    assert_eq!(world.outcomes(&again).await, [SOLD, full, full, SOLD, SOLD, SOLD]);
}

async fn what_was_accepted_before_the_end_is_good_after_it(world: &World) {
    let product = world.product("TV", 9, None).await;
    let sale = world.planned(product, -3, 1).await;
    let at = async |hours, user| {
        let accepted_at = world.in_hours(hours).await;
        Purchase { accepted_at, ..buy_in(&sale, user) }
    };
    let batch = [at(-2, "ann").await, at(0, "bob").await];
    let ends_at = Some(world.in_hours(-1).await);
    let over = world.changed(&sale, SaleChange { ends_at, ..SaleChange::default() }).await;
    assert_eq!(over.phase(world.in_hours(0).await), Phase::Ended);
    assert_eq!(world.outcomes(&batch).await, [SOLD, Err(Reason::SaleEnded)]);
}

async fn what_is_sold_while_a_count_begins_is_counted(world: &World) {
    let product = world.product("TV", 100, None).await;
    let sale = world.planned(product, -1, 1).await;
    let settle = async |n: usize| {
        let users = (0..3).map(|user| buy_in(&sale, &format!("{user}-of-{}", n % 4)));
        world.record(&users.collect::<Vec<_>>()).await
    };
    let count = SaleChange {
        quantity: Some(Some(90)),
        per_user_limit: Some(Some(9)),
        ..SaleChange::default()
    };
    let (_, counted) = futures::join!(join_all((0..24).map(settle)), world.changed(&sale, count));
    let stored = world.stored(sale.id).await;
    assert!((0..=72).contains(&counted.taken), "{}", counted.taken);
    assert_eq!((stored.taken, world.stock(product).await.2), (72, 72));
    // Twelve users with six units each: three more are allowed.
    let more: Vec<_> = (0..4).map(|_| buy_in(&sale, "0-of-0")).collect();
    let full = Err(Reason::LimitReached);
    assert_eq!(world.outcomes(&more).await, [SOLD, SOLD, SOLD, full]);
}

async fn every_write_raises_both_versions_and_is_owed(world: &World) {
    let product = world.product("TV", 9, None).await;
    let ledger = &world.ledger;
    let versions =
        async || (world.stock(product).await.3, ledger.pulse().await.unwrap().catalogue_version);
    let (mut version, mut catalogue) = versions().await;
    let mut check = async |announcement: Announcement, sale_id: SaleId, event| {
        (version, catalogue) = (version + 1, catalogue + 1);
        assert_eq!(versions().await, (version, catalogue), "{event:?}");
        assert_eq!(ledger.catalogue().await.unwrap().version, catalogue);
        let notice = Notice { product_id: product, sale_id: Some(sale_id), event };
        assert_eq!(announcement.notices, [notice]);
        assert_eq!(announcement.levels, [world.level(product).await]);
        world.let_leases_run_out().await;
        assert_eq!(ledger.lease_dues(9).await.unwrap(), std::slice::from_ref(&announcement));
        ledger.clear_dues(&Vec::from_iter(announcement.due)).await.unwrap();
    };
    let new = NewSale { quantity: Some(5), ..world.new_sale(product, -1, 1).await };
    let (sale, announcement) = ledger.create_sale(&new, &tester()).await.unwrap();
    assert_eq!(announcement.levels[0].sale.unwrap().sale_left, 5);
    check(announcement, sale.id, NoticeEvent::SaleCreated).await;
    let (_, announcement) =
        ledger.change_sale(sale.id, &quantity(Some(7)), &tester()).await.unwrap();
    assert_eq!(announcement.levels[0].sale.unwrap().sale_left, 7);
    check(announcement, sale.id, NoticeEvent::SaleChanged).await;
    let (_, announcement) = ledger.cancel_sale(sale.id, &tester()).await.unwrap();
    let announcement = announcement.unwrap();
    assert_eq!(announcement.levels[0].sale, None);
    check(announcement, sale.id, NoticeEvent::SaleCancelled).await;
}
