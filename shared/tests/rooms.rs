//! The conformance suite of the `Rooms` port, run against every adapter.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::sync::Arc;

use futures::future::join_all;
use rstest::rstest;
use shared::adapters::embedded::EmbeddedRooms;
use shared::adapters::redis::RedisRooms;
use shared::domain::room::{Draw, Line};
use shared::domain::{SaleId, UserId};
use shared::ports::rooms::{Call, Joined, LetIn, Rooms};
use shared::testing::Family::{self, Embedded, Real};
use shared::testing::eventually;
use shared::testing::redis::fresh_pool;

const SALE: SaleId = SaleId(7);
/// Far enough that Redis, which goes by its own clock, forgets nothing.
const NOW: i64 = 4_000_000_000_000;
const LATER: i64 = NOW + 86_400_000;

async fn rooms(family: Family) -> Arc<dyn Rooms> {
    match family {
        Real => Arc::new(RedisRooms::new(fresh_pool().await)),
        Embedded => Arc::new(EmbeddedRooms::default()),
    }
}

/// Rooms with a line from which so many indexes may be given out.
async fn with_line(family: Family, reserved: u64) -> Arc<dyn Rooms> {
    let rooms = rooms(family).await;
    let draw = Some(Draw { count: 0, seed: [7; 16] });
    let line = Line { reserved, draw, ..Line::default() };
    rooms.restore(SALE, &line, &[], LATER).await.unwrap();
    rooms
}

fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| UserId::parse(*name).unwrap()).collect()
}

async fn join(rooms: &dyn Rooms, names: &[&str]) -> Vec<Joined> {
    rooms.join(SALE, &users(names), NOW).await.unwrap().unwrap()
}

async fn hear(rooms: &dyn Rooms, (index, user): (u64, &str), now_ms: i64, until_ms: i64) {
    let heard = [(index, UserId::parse(user).unwrap())];
    rooms.hear(SALE, &heard, now_ms, until_ms).await.unwrap();
}

async fn look(rooms: &dyn Rooms, now_ms: i64) -> Line {
    rooms.look(SALE, now_ms).await.unwrap().unwrap()
}

fn call(from: u64, to: u64, indexes: &[u64]) -> Call<'_> {
    let (believed_until_ms, used_until_ms) = (NOW + 1_000, NOW + 50);
    Call { from, to, indexes, at_ms: NOW, believed_until_ms, used_until_ms }
}

use Joined::{At, Short};

#[rstest]
#[tokio::test]
async fn without_a_line_nobody_can_join(#[values(Real, Embedded)] family: Family) {
    let rooms = rooms(family).await;
    assert_eq!(rooms.look(SALE, NOW).await.unwrap(), None);
    assert_eq!(rooms.join(SALE, &users(&["ann"]), NOW).await.unwrap(), None);
    assert_eq!(rooms.find(SALE, &users(&["ann"])).await.unwrap(), [None]);
    assert_eq!(rooms.close_early(SALE).await.unwrap(), None);
    assert!(!rooms.call(SALE, &call(0, 1, &[0])).await.unwrap());
    // What is told of a line that is not there makes none.
    rooms.reserve(SALE, 9).await.unwrap();
    rooms.shuffle(SALE, &Draw { count: 1, seed: [1; 16] }).await.unwrap();
    hear(&*rooms, (0, "ann"), NOW, NOW + 1).await;
    assert_eq!(rooms.look(SALE, NOW).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn everybody_gets_the_next_place_and_keeps_it(#[values(Real, Embedded)] family: Family) {
    let rooms = with_line(family, 3).await;
    assert_eq!(join(&*rooms, &["ann", "bob", "ann"]).await, [At(0), At(1), At(0)]);
    assert_eq!(join(&*rooms, &["bob", "cid", "dot"]).await, [At(1), At(2), Short]);
    rooms.reserve(SALE, 4).await.unwrap();
    rooms.reserve(SALE, 2).await.unwrap();
    assert_eq!(join(&*rooms, &["dot", "eve"]).await, [At(3), Short]);
    let found = rooms.find(SALE, &users(&["cid", "eve"])).await.unwrap();
    assert_eq!(found, [Some(2), None]);
    let line = look(&*rooms, NOW).await;
    assert_eq!((line.joined, line.reserved, line.admitted, line.inside), (4, 4, 0, 0));
    assert_eq!(rooms.heard(SALE, &[0, 3, 4]).await.unwrap(), [Some(NOW), Some(NOW), None]);
}

#[rstest]
#[tokio::test]
async fn of_a_crowd_everybody_has_a_place_of_their_own(#[values(Real, Embedded)] family: Family) {
    let rooms = with_line(family, 10_000).await;
    let batches = (0..50).map(|batch| {
        let names: Vec<_> = (0..40).map(|n| format!("u-{}", batch * 40 + n)).collect();
        let rooms = Arc::clone(&rooms);
        async move {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            join(&*rooms, &names).await
        }
    });
    let joined = join_all(batches).await.concat();
    let mut places: Vec<u64> = joined
        .iter()
        .map(|joined| match joined {
            At(index) => *index,
            Short => panic!("there was room for all"),
        })
        .collect();
    places.sort_unstable();
    assert_eq!(places, (0..2_000).collect::<Vec<_>>());
}

#[rstest]
#[tokio::test]
async fn the_early_ones_are_counted_and_shuffled_once(#[values(Real, Embedded)] family: Family) {
    let rooms = rooms(family).await;
    let line = Line { reserved: 9, ..Line::default() };
    rooms.restore(SALE, &line, &[], LATER).await.unwrap();
    join(&*rooms, &["ann", "bob"]).await;
    assert_eq!(look(&*rooms, NOW).await.draw, None);
    assert_eq!(rooms.close_early(SALE).await.unwrap(), Some(2));
    // Who comes between the counting and the shuffling is not early.
    join(&*rooms, &["cid"]).await;
    assert_eq!(rooms.close_early(SALE).await.unwrap(), Some(2));
    let draw = Draw { count: 2, seed: [5; 16] };
    rooms.shuffle(SALE, &draw).await.unwrap();
    assert_eq!(look(&*rooms, NOW).await.draw, Some(draw));
}

#[rstest]
#[tokio::test]
async fn numbers_are_called_once_whoever_calls(#[values(Real, Embedded)] family: Family) {
    let rooms = with_line(family, 9).await;
    join(&*rooms, &["ann", "bob", "cid", "dot"]).await;
    assert!(rooms.call(SALE, &call(0, 3, &[0, 2])).await.unwrap());
    assert!(!rooms.call(SALE, &call(0, 2, &[0, 1])).await.unwrap(), "somebody else was first");
    let line = look(&*rooms, NOW).await;
    assert_eq!((line.admitted, line.inside, line.used_until_ms), (3, 2, NOW + 50));
    let let_in = rooms.let_in(SALE, &[0, 1, 2, 3]).await.unwrap();
    assert_eq!(let_in, [Some(NOW), None, Some(NOW), None]);
}

#[rstest]
#[tokio::test]
async fn who_is_silent_gets_served_or_leaves_is_not_inside(
    #[values(Real, Embedded)] family: Family,
) {
    let rooms = with_line(family, 9).await;
    join(&*rooms, &["ann", "bob", "cid", "dot"]).await;
    assert!(rooms.call(SALE, &call(0, 4, &[0, 1, 2, 3])).await.unwrap());
    rooms.served(SALE, &users(&["bob", "nobody"])).await.unwrap();
    assert_eq!(look(&*rooms, NOW).await.inside, 3);
    rooms.leave(SALE, &users(&["cid"])[0], 2).await.unwrap();
    assert_eq!(look(&*rooms, NOW).await.inside, 2);
    // Ann is heard of, Dot is not.
    hear(&*rooms, (0, "ann"), NOW + 500, NOW + 5_000).await;
    assert_eq!(look(&*rooms, NOW + 1_000).await.inside, 1);
    assert_eq!(look(&*rooms, NOW + 5_000).await.inside, 0);
}

#[rstest]
#[tokio::test]
async fn who_has_left_does_not_come_back_by_the_same_place(
    #[values(Real, Embedded)] family: Family,
) {
    let rooms = with_line(family, 9).await;
    join(&*rooms, &["ann"]).await;
    rooms.leave(SALE, &users(&["ann"])[0], 0).await.unwrap();
    hear(&*rooms, (0, "ann"), NOW, NOW + 9).await;
    assert_eq!(rooms.heard(SALE, &[0]).await.unwrap(), [Some(0)]);
    assert_eq!(join(&*rooms, &["ann"]).await, [At(1)]);
    // An old ticket does not take the new place away.
    rooms.leave(SALE, &users(&["ann"])[0], 0).await.unwrap();
    assert_eq!(join(&*rooms, &["ann"]).await, [At(1)]);
}

#[rstest]
#[tokio::test]
async fn a_line_is_restored_as_it_is_to_go_on_and_only_where_there_is_none(
    #[values(Real, Embedded)] family: Family,
) {
    let rooms = rooms(family).await;
    let draw = Some(Draw { count: 3, seed: [9; 16] });
    let line =
        Line { joined: 20, reserved: 30, draw, admitted: 5, since_ms: NOW, ..Line::default() };
    let let_in = LetIn { indexes: vec![1, 4], at_ms: NOW - 9, until_ms: NOW + 9 };
    rooms.restore(SALE, &line, &[let_in], LATER).await.unwrap();
    let expected = Line { inside: 2, now_ms: NOW, ..line };
    assert_eq!(look(&*rooms, NOW).await, expected);
    rooms.restore(SALE, &Line::default(), &[], LATER).await.unwrap();
    assert_eq!(look(&*rooms, NOW).await, expected);
    assert_eq!(rooms.let_in(SALE, &[1, 2]).await.unwrap(), [Some(NOW - 9), None]);
    assert_eq!(join(&*rooms, &["ann"]).await, [At(20)]);
    let other = SaleId(8);
    assert_eq!(rooms.look(other, NOW).await.unwrap(), None, "lines do not share");
}

#[rstest]
#[tokio::test]
async fn one_caller_makes_a_line_until_it_had_its_time(#[values(Real, Embedded)] family: Family) {
    let rooms = rooms(family).await;
    let may =
        async |sale, now_ms, until_ms| rooms.may_restore(sale, now_ms, until_ms).await.unwrap();
    assert!(may(SALE, NOW, NOW + 300).await);
    assert!(!may(SALE, NOW, NOW + 300).await);
    assert!(may(SaleId(8), NOW, NOW + 300).await, "lines do not share");
    // By the clock of Redis, and by the one that is passed.
    eventually("another one may", async || may(SALE, NOW + 300, NOW + 600).await.then_some(()))
        .await;
    assert!(!may(SALE, NOW + 300, NOW + 600).await);
}

#[rstest]
#[tokio::test]
async fn a_line_that_was_lost_learns_whose_places_are(#[values(Real, Embedded)] family: Family) {
    let rooms = rooms(family).await;
    let draw = Some(Draw { count: 0, seed: [7; 16] });
    let line = Line { joined: 10, reserved: 20, draw, ..Line::default() };
    rooms.restore(SALE, &line, &[], LATER).await.unwrap();
    // Ann joins again before her place is heard of, Bob after.
    assert_eq!(join(&*rooms, &["ann"]).await, [At(10)]);
    for heard in [(3, "ann"), (4, "bob"), (10, "ann")] {
        hear(&*rooms, heard, NOW, NOW + 1_000).await;
    }
    assert_eq!(join(&*rooms, &["ann", "bob"]).await, [At(3), At(4)]);
    assert_eq!(rooms.heard(SALE, &[3, 4, 10]).await.unwrap(), [Some(NOW), Some(NOW), Some(0)]);
}
