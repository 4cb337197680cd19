//! The conformance suite of the `IdempotencyMap` port, run against every adapter.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::sync::Arc;

use rstest::rstest;
use shared::adapters::embedded::EmbeddedIdempotencyMap;
use shared::adapters::redis::RedisIdempotencyMap;
use shared::domain::testing::{purchase, with_key};
use shared::domain::{IdempotencyKey, UserId};
use shared::ports::IdempotencyMap;
use shared::testing::Family::{self, Embedded, Real};
use shared::testing::redis::fresh_pool;

async fn map(family: Family) -> Arc<dyn IdempotencyMap> {
    match family {
        Real => Arc::new(RedisIdempotencyMap::new(fresh_pool().await)),
        Embedded => Arc::new(EmbeddedIdempotencyMap::default()),
    }
}

#[rstest]
#[tokio::test]
async fn a_retry_gets_exactly_the_first_purchase(#[values(Real, Embedded)] family: Family) {
    let map = map(family).await;
    let first = with_key(purchase(1, "u-1", 2), "k");
    let retry = with_key(purchase(2, "u-1", 2), "k");
    assert_eq!(map.remember(std::slice::from_ref(&first)).await.unwrap(), [None]);
    assert_eq!(map.remember(&[retry]).await.unwrap(), [Some(first)]);
}

#[rstest]
#[tokio::test]
async fn answers_line_up_also_around_purchases_without_a_key(
    #[values(Real, Embedded)] family: Family,
) {
    let map = map(family).await;
    let keyed = with_key(purchase(1, "u-1", 1), "k");
    let again = with_key(purchase(2, "u-1", 1), "k");
    let batch = [purchase(3, "u-1", 1), keyed.clone(), purchase(4, "u-1", 1), again];
    assert_eq!(map.remember(&batch).await.unwrap(), [None, None, None, Some(keyed)]);
}

#[rstest]
#[tokio::test]
async fn the_same_key_of_two_users_is_two_keys(#[values(Real, Embedded)] family: Family) {
    let map = map(family).await;
    let batch = [
        with_key(purchase(1, "u", 1), "1:k"),
        with_key(purchase(2, "u:1", 1), "k"),
        with_key(purchase(3, "v", 1), "1:k"),
    ];
    assert_eq!(map.remember(&batch).await.unwrap(), [None, None, None]);
}

#[rstest]
#[tokio::test]
async fn what_was_remembered_is_recalled(#[values(Real, Embedded)] family: Family) {
    let map = map(family).await;
    let keyed = with_key(purchase(1, "u-1", 1), "k");
    map.remember(std::slice::from_ref(&keyed)).await.unwrap();
    let asked = [("u-1", "other"), ("u-1", "k"), ("u-2", "k")]
        .map(|(user, key)| (UserId::parse(user).unwrap(), IdempotencyKey::parse(key).unwrap()));
    assert_eq!(map.recall(&asked).await.unwrap(), [None, Some(keyed), None]);
    assert_eq!(map.recall(&[]).await.unwrap(), []);
}
