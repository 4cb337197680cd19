//! The book of waiting rooms.

use futures::future::join_all;
use shared::domain::SaleId;
use shared::domain::room::Draw;
use shared::ports::rooms::{RoomCall, RoomPage};

use crate::support::{World, families};

families!(
    indexes_are_reserved_once,
    the_book_tells_how_far_a_line_was_called,
    old_calls_are_forgotten,
    the_first_shuffle_holds,
);

impl World {
    async fn room(&self) -> SaleId {
        let product = self.product("A", 9, None).await;
        self.planned(product, -1, 1).await.id
    }

    async fn page(&self, sale: SaleId) -> RoomPage {
        self.room_book.reserve(sale, 0).await.unwrap()
    }
}

async fn indexes_are_reserved_once(world: &World) {
    let sale = world.room().await;
    let pages = join_all((0..10).map(|_| world.room_book.reserve(sale, 100))).await;
    let mut ends: Vec<_> = pages.into_iter().map(|page| page.unwrap().reserved).collect();
    ends.sort_unstable();
    assert_eq!(ends, (1..=10).map(|n| n * 100).collect::<Vec<_>>());
}

async fn the_book_tells_how_far_a_line_was_called(world: &World) {
    let sale = world.room().await;
    assert_eq!(world.page(sale).await, RoomPage::default());
    let calls = [(0, 3, 1_000), (3, 9, 2_000), (3, 5, 3_000)];
    let calls = calls.map(|(from, to, at_ms)| RoomCall { from, to, at_ms });
    for call in calls {
        world.room_book.call(sale, call, 0).await.unwrap();
    }
    let page = world.page(sale).await;
    assert_eq!((page.admitted, page.calls), (9, calls.to_vec()), "it never goes back");
}

async fn old_calls_are_forgotten(world: &World) {
    let sale = world.room().await;
    world.page(sale).await;
    for n in 0..5 {
        let call = RoomCall { from: n, to: n + 1, at_ms: 1_000 * n.cast_signed() };
        world.room_book.call(sale, call, call.at_ms - 1_000).await.unwrap();
    }
    let page = world.page(sale).await;
    assert_eq!(page.admitted, 5);
    assert_eq!(page.calls.iter().map(|call| call.from).collect::<Vec<_>>(), [3, 4]);
}

async fn the_first_shuffle_holds(world: &World) {
    let sale = world.room().await;
    world.page(sale).await;
    let (first, second) = (Draw { count: 4, seed: [1; 16] }, Draw { count: 9, seed: [2; 16] });
    assert_eq!(world.room_book.shuffle(sale, &first).await.unwrap(), first);
    assert_eq!(world.room_book.shuffle(sale, &second).await.unwrap(), first);
    assert_eq!(world.page(sale).await.draw, Some(first));
}
