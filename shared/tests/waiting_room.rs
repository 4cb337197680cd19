//! The waiting room as a whole: everybody is called once, in order, whatever becomes of the line.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use futures::future::join_all;
use rstest::rstest;
use secrecy::ExposeSecret;
use shared::adapters::embedded::{EmbeddedLedger, EmbeddedRooms};
use shared::adapters::redis::{RedisPool, RedisRooms};
use shared::boards::Boards;
use shared::domain::room::{RoomRules, Ticket};
use shared::domain::testing::{sale, tester, tracking_key};
use shared::domain::{
    Counts, Currency, Money, ProductId, Reason, Sale, SaleLeft, Sku, StockLevel, Timestamp, UserId,
};
use shared::pipeline::key::KeyRing;
use shared::pipeline::waiting_room::{Place, RoomError, WaitingRooms};
use shared::ports::rooms::Rooms;
use shared::ports::{Clock, Ledger, LedgerClock, NewProduct, SystemClock};
use shared::testing::Family::{self, Embedded, Real};
use shared::testing::eventually;
use shared::testing::redis::{flush, fresh_database};
use tokio::task::JoinHandle;

const RULES: RoomRules = RoomRules {
    admit_per_second: 100_000,
    max_inside: 1_000_000,
    pass_seconds: 600,
    patience_seconds: 600,
    pre_queue_seconds: 0,
};

/// Loses every line, as a Redis that is started anew does.
enum Lose {
    Redis(String),
    Memory(Arc<EmbeddedRooms>),
}

impl Lose {
    async fn lose(&self) {
        match self {
            Self::Redis(url) => flush(url).await,
            Self::Memory(rooms) => rooms.flush(),
        }
    }
}

/// A sale with a waiting room, and two instances that let people in.
struct World {
    instances: [WaitingRooms; 2],
    boards: Arc<Boards>,
    sale: Sale,
    lose: Lose,
    /// Purchases are behind.
    held_back: Arc<AtomicBool>,
    ushers: [JoinHandle<()>; 2],
}

impl Drop for World {
    fn drop(&mut self) {
        self.ushers.iter().for_each(JoinHandle::abort);
    }
}

async fn world(family: Family, rules: RoomRules, opens_in_ms: i64, units: i64) -> World {
    world_of(family, rules, opens_in_ms, units, |_| {}).await
}

async fn world_of(
    family: Family,
    rules: RoomRules,
    opens_in_ms: i64,
    units: i64,
    change: impl FnOnce(&mut Sale),
) -> World {
    let clock = Arc::new(SystemClock);
    let ledger = Arc::new(EmbeddedLedger::new(clock.clone()));
    let new = NewProduct {
        sku: Sku::parse("A").unwrap(),
        name: "A".into(),
        description: String::new(),
        category: String::new(),
        image_url: None,
        price: Money { minor: 100, currency: Currency::USD },
        per_user_limit: None,
        total: units,
    };
    ledger.create_product(&new, &tester()).await.unwrap();
    let now_ms = clock.now().millis();
    let mut sale = Sale {
        waiting_room: Some(rules),
        per_user_limit: Some(1),
        ..sale(7, 1, now_ms + opens_in_ms, now_ms + 3_600_000)
    };
    change(&mut sale);
    ledger.add_sale(sale.clone());
    let (rooms, lose): (Arc<dyn Rooms>, Lose) = match family {
        Real => {
            let database = fresh_database().await;
            let pool = Arc::new(RedisPool::new(&database).unwrap());
            let url = database.url.expose_secret().to_owned();
            (Arc::new(RedisRooms::new(pool)), Lose::Redis(url))
        }
        Embedded => {
            let rooms = Arc::new(EmbeddedRooms::default());
            (rooms.clone(), Lose::Memory(rooms))
        }
    };
    let boards = Arc::new(Boards::new(NonZeroUsize::MIN, Duration::from_secs(3_600)));
    boards.catalogue.look_again(&*ledger).await.unwrap();
    boards.stock.apply(&ledger.levels(), Duration::ZERO);
    let keys = Arc::new(KeyRing::default());
    keys.set(tracking_key());
    let start = || {
        let clock = Arc::new(LedgerClock::new(clock.clone()));
        let (boards, keys) = (Arc::clone(&boards), Arc::clone(&keys));
        WaitingRooms::start(Arc::clone(&rooms), ledger.clone(), boards, clock, keys)
    };
    // Two instances: whoever is first calls.
    let instances = [start(), start()];
    let held_back = Arc::new(AtomicBool::new(false));
    let ushers = instances.clone().map(|instance| {
        let held_back = Arc::clone(&held_back);
        tokio::spawn(async move { instance.usher(|| held_back.load(SeqCst)).await })
    });
    World { instances, boards, sale, lose, held_back, ushers }
}

impl World {
    async fn join(&self, n: usize) -> Ticket {
        let user = UserId::parse(format!("u-{n}")).unwrap();
        self.instances[n % 2].join(&self.sale, &user).await.unwrap()
    }

    /// So many join, one after the other or in a crowd.
    async fn crowd(&self, numbers: std::ops::Range<usize>) -> Vec<Ticket> {
        let mut tickets = join_all(numbers.map(|n| self.join(n))).await;
        tickets.sort_by_key(|ticket| ticket.index);
        tickets
    }

    async fn place(&self, ticket: &Ticket) -> Place {
        self.instances[0].place(ticket).await.unwrap()
    }

    /// Waits until the usher has looked at the line some more times since everybody joined.
    async fn looked_at(&self, joined: u64) {
        let line = async || self.instances[0].state(self.sale.id).await.unwrap().line;
        let now_ms = line().await.now_ms;
        eventually("the line is looked at", async || {
            let line = line().await;
            (line.joined >= joined && line.now_ms > now_ms + 600).then_some(())
        })
        .await;
    }

    fn stock(&self, version: i64, sold: i64, sale_left: Option<i64>) {
        let sale = sale_left.map(|sale_left| SaleLeft { sale_id: self.sale.id, sale_left });
        let counts = Counts { total: 1_000, reserved: 0, sold };
        let level = StockLevel { product_id: ProductId(1), counts, version, sale };
        self.boards.stock.apply(&[level], Duration::ZERO);
    }

    /// How far numbers were called.
    async fn admitted(&self) -> u64 {
        self.instances[0].state(self.sale.id).await.unwrap().line.admitted
    }

    /// When the owner of a ticket was let in, by the end of the pass.
    async fn pass_of(&self, ticket: &Ticket) -> Option<Timestamp> {
        match self.place(ticket).await {
            Place::Inside(pass) => Some(pass.expires_at),
            _ => None,
        }
    }
}

/// Everybody in front has been let in, everybody behind waits, and knows how many are in front.
async fn assert_in_order(world: &World, tickets: &[Ticket]) {
    for (n, ticket) in tickets.iter().enumerate() {
        // The line moves on meanwhile, and only forward.
        let before = world.admitted().await;
        let place = world.place(ticket).await;
        let after = world.admitted().await;
        let n = n as u64;
        match place {
            Place::Waiting { ahead, .. } => {
                assert!(n >= before && n - ahead >= before && n - ahead <= after, "{n}: {ahead}");
            }
            Place::Inside(_) => assert!(n < after, "{n} is inside, {after} were called"),
            other => panic!("{n}: {other:?}"),
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_are_let_in_in_the_order_of_their_tickets(
    #[values(Real, Embedded)] family: Family,
) {
    let rules = RoomRules { admit_per_second: 4_000, ..RULES };
    let world = world(family, rules, -1_000, 1_000_000).await;
    let tickets = world.crowd(0..10_000).await;
    let indexes: Vec<u64> = tickets.iter().map(|ticket| ticket.index).collect();
    assert_eq!(indexes, (0..10_000).collect::<Vec<_>>(), "a place each");
    let mut seen = 0;
    while world.admitted().await < 10_000 {
        let from = seen;
        seen = eventually("more are called", async || {
            let admitted = world.admitted().await as usize;
            (admitted > from).then_some(admitted)
        })
        .await;
        // Around the place where those who are inside end.
        let around = from.saturating_sub(50)..(seen + 50).min(10_000);
        for n in around {
            let place = world.place(&tickets[n]).await;
            let admitted = world.admitted().await as usize;
            match place {
                Place::Inside(_) => assert!(n < admitted, "{n} of {admitted}"),
                Place::Waiting { .. } => assert!(n >= seen, "{n} of {seen}"),
                other => panic!("{n}: {other:?}"),
            }
        }
    }
    // In the order of their tickets means: nobody's pass is older than that of somebody in front.
    let mut passes = Vec::with_capacity(tickets.len());
    for ticket in &tickets {
        passes.push(world.pass_of(ticket).await.unwrap());
    }
    assert!(passes.is_sorted());
}

#[rstest]
#[tokio::test]
async fn a_line_that_is_lost_goes_on_where_it_was(#[values(Real, Embedded)] family: Family) {
    let rules = RoomRules { admit_per_second: 200, ..RULES };
    let world = world(family, rules, -1_000, 1_000_000).await;
    let tickets = world.crowd(0..400).await;
    eventually("some are let in", async || (world.admitted().await >= 100).then_some(())).await;
    world.lose.lose().await;
    let latecomers = eventually("others can join", async || {
        let user = UserId::parse("late").unwrap();
        world.instances[1].join(&world.sale, &user).await.ok()
    })
    .await;
    assert!(latecomers.index >= 400, "nobody gets a place that was somebody's");
    assert_in_order(&world, &tickets).await;
    let known: Vec<_> = {
        let mut known = Vec::new();
        for ticket in &tickets {
            known.push(world.pass_of(ticket).await);
        }
        known
    };
    assert!(known.iter().flatten().count() >= 100, "who was let in still is");
    // Who joins again has the place no more, for it was lost with the line; the ticket is the place.
    eventually("everybody is let in", async || {
        (world.place(&latecomers).await != Place::Early
            && world.admitted().await > latecomers.index)
            .then_some(())
    })
    .await;
    for (ticket, before) in tickets.iter().zip(known) {
        let pass = world.pass_of(ticket).await;
        assert!(pass.is_some(), "{ticket:?}");
        // Once: the pass is the one that they had.
        assert!(before.is_none() || before == pass, "{ticket:?}");
    }
    assert!(world.pass_of(&latecomers).await.is_some());
}

#[rstest]
#[tokio::test]
async fn who_joins_before_the_opening_is_shuffled(#[values(Real, Embedded)] family: Family) {
    let rules = RoomRules { pre_queue_seconds: 60, ..RULES };
    let world = world(family, rules, 1_500, 1_000_000).await;
    let early = world.crowd(0..200).await;
    assert_eq!(world.place(&early[0]).await, Place::Early);
    let opened = async || world.instances[0].state(world.sale.id).await.unwrap().line.draw;
    let draw = eventually("the sale opens", opened).await;
    assert_eq!(draw.count, 200);
    let late = world.crowd(200..210).await;
    let line = world.instances[0].state(world.sale.id).await.unwrap().line;
    let number = |ticket: &Ticket| line.number(ticket.index).unwrap();
    let mut numbers: Vec<_> = early.iter().map(number).collect();
    assert!(!numbers.is_sorted(), "coming first wins nothing");
    numbers.sort_unstable();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    assert!(late.iter().map(number).eq(200..210), "whoever comes later is behind");
}

#[tokio::test]
async fn before_the_opening_only_a_pre_queue_lets_people_join() {
    let world = world(Embedded, RULES, 600_000, 9).await;
    let user = UserId::parse("ann").unwrap();
    let refused = world.instances[0].join(&world.sale, &user).await;
    assert!(matches!(refused, Err(RoomError::Refused(Reason::SaleNotStarted))), "{refused:?}");
}

#[tokio::test]
async fn no_more_are_let_in_than_can_be_served() {
    let world = world(Embedded, RULES, -1_000, 5).await;
    let tickets = world.crowd(0..9).await;
    eventually("five are let in", async || (world.admitted().await == 5).then_some(())).await;
    assert_in_order(&world, &tickets).await;
    // One buys: there is one unit less, and one shopper less.
    let counts = Counts { total: 5, reserved: 0, sold: 1 };
    let level = StockLevel { product_id: ProductId(1), counts, version: 99, sale: None };
    world.boards.stock.apply(&[level], Duration::ZERO);
    // One gives up: somebody else may come.
    world.instances[0].leave(&tickets[1]).await.unwrap();
    world.instances[0].leave(&tickets[2]).await.unwrap();
    eventually("one more is let in", async || (world.admitted().await == 6).then_some(())).await;
    assert!(world.pass_of(&tickets[5]).await.is_some());
    assert!(matches!(world.place(&tickets[6]).await, Place::Waiting { ahead: 0, .. }));
}

#[tokio::test]
async fn who_left_is_passed_over_and_may_join_again_at_the_end() {
    let rules = RoomRules { admit_per_second: 1, max_inside: 1, ..RULES };
    let world = world(Embedded, rules, -1_000, 100).await;
    let tickets = world.crowd(0..3).await;
    eventually("the first is let in", async || (world.admitted().await == 1).then_some(())).await;
    world.instances[0].leave(&tickets[1]).await.unwrap();
    world.instances[0].leave(&tickets[0]).await.unwrap();
    eventually("the third is let in", async || world.pass_of(&tickets[2]).await.map(drop)).await;
    assert_eq!(world.place(&tickets[1]).await, Place::Missed);
    let user = tickets[1].user_id.clone();
    let again = world.instances[0].join(&world.sale, &user).await.unwrap();
    assert_eq!(again.index, 3);
}

#[tokio::test]
async fn nobody_is_let_in_while_purchases_are_behind() {
    let world = world(Embedded, RULES, -1_000, 100).await;
    world.held_back.store(true, SeqCst);
    // The usher may just have looked.
    world.looked_at(0).await;
    world.crowd(0..3).await;
    world.looked_at(3).await;
    assert_eq!(world.admitted().await, 0);
    world.held_back.store(false, SeqCst);
    eventually("they are let in", async || (world.admitted().await == 3).then_some(())).await;
}

#[tokio::test]
async fn of_a_part_of_the_stock_no_more_than_the_part_is_counted_on() {
    let change = |sale: &mut Sale| sale.quantity = Some(5);
    let world = world_of(Embedded, RULES, -1_000, 1_000, change).await;
    // As at the opening: the board knows the product, and not yet what the sale has left.
    world.stock(50, 0, None);
    world.crowd(0..9).await;
    world.looked_at(9).await;
    assert_eq!(world.admitted().await, 0);
    world.stock(51, 0, Some(5));
    eventually("five are let in", async || (world.admitted().await == 5).then_some(())).await;
    world.looked_at(9).await;
    assert_eq!(world.admitted().await, 5);
}

#[tokio::test]
async fn whoever_is_let_in_may_take_as_many_as_the_limit_says() {
    let change = |sale: &mut Sale| sale.per_user_limit = Some(2);
    let world = world_of(Embedded, RULES, -1_000, 5, change).await;
    world.crowd(0..9).await;
    eventually("three are let in", async || (world.admitted().await == 3).then_some(())).await;
    world.looked_at(9).await;
    assert_eq!(world.admitted().await, 3);
}

#[rstest]
#[tokio::test]
async fn who_joins_again_after_the_line_was_lost_has_one_place(
    #[values(Real, Embedded)] family: Family,
) {
    let rules = RoomRules { admit_per_second: 1, max_inside: 1, ..RULES };
    let world = world(family, rules, -1_000, 100).await;
    let tickets = world.crowd(0..9).await;
    let ours = &tickets[5];
    eventually("the first is let in", async || (world.admitted().await >= 1).then_some(())).await;
    world.lose.lose().await;
    let again = eventually("they can join again", async || {
        world.instances[1].join(&world.sale, &ours.user_id).await.ok()
    })
    .await;
    assert!(again.index > ours.index, "by name alone nobody knows the place");
    world.instances[0].hear(ours);
    let place = eventually("the ticket is heard of", async || {
        let found = world.instances[0].find(world.sale.id, &ours.user_id).await.ok().flatten();
        found.filter(|found| found.index == ours.index)
    });
    place.await;
    let once_more = world.instances[1].join(&world.sale, &ours.user_id).await.unwrap();
    assert_eq!(once_more.index, ours.index);
}
