//! The conformance suite of the `StockGate` port, run against every adapter.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::sync::Arc;

use rstest::rstest;
use shared::adapters::embedded::EmbeddedGate;
use shared::adapters::redis::{RedisGate, RedisPool};
use shared::domain::{Counts, ProductId, StockLevel};
use shared::ports::{Answer, GateLevel, ProductClaim, StockGate, SyncMode};
use shared::testing::Family::{self, Embedded, Real};
use shared::testing::redis::{config_for, fresh_pool};

async fn gate(family: Family) -> Arc<dyn StockGate> {
    match family {
        Real => Arc::new(RedisGate::new(fresh_pool().await)),
        Embedded => Arc::new(EmbeddedGate::default()),
    }
}

fn level(product: i64, available: i64, version: i64) -> StockLevel {
    let counts = Counts { total: available + 3, reserved: 1, sold: 2 };
    StockLevel { product_id: ProductId(product), counts, version, sale: None }
}

fn claim(product: i64, quantities: &[u32]) -> ProductClaim {
    ProductClaim { product_id: ProductId(product), quantities: quantities.to_vec() }
}

async fn free(gate: &dyn StockGate, product: i64) -> Option<i64> {
    gate.levels(&[ProductId(product)]).await.unwrap()[0].map(|level| level.free)
}

const YES: Answer = Answer::Yes;
const NO: Answer = Answer::No;

#[rstest]
#[tokio::test]
async fn units_are_taken_in_order_of_arrival_while_they_last(
    #[values(Real, Embedded)] family: Family,
) {
    let gate = gate(family).await;
    gate.sync(&[level(1, 5, 1)], SyncMode::Newer).await.unwrap();
    let answers = gate.claim(&[claim(1, &[2, 4, 3, 1])]).await.unwrap();
    assert_eq!(answers, [[YES, NO, YES, NO]]);
    assert_eq!(free(&*gate, 1).await, Some(0));
}

#[rstest]
#[tokio::test]
async fn an_unknown_product_is_unknown_and_not_created(#[values(Real, Embedded)] family: Family) {
    let gate = gate(family).await;
    gate.sync(&[level(2, 1, 1)], SyncMode::Newer).await.unwrap();
    let answers = gate.claim(&[claim(1, &[1, 1]), claim(2, &[1])]).await.unwrap();
    assert_eq!(answers, [vec![Answer::Unknown; 2], vec![YES]]);
    assert_eq!(free(&*gate, 1).await, None);
}

#[rstest]
#[tokio::test]
async fn only_a_newer_version_is_taken(#[values(Real, Embedded)] family: Family) {
    let gate = gate(family).await;
    for (version, available) in [(5, 50), (5, 40), (4, 30)] {
        gate.sync(&[level(1, available, version)], SyncMode::Newer).await.unwrap();
    }
    assert_eq!(free(&*gate, 1).await, Some(50));
    gate.sync(&[level(1, 7, 6)], SyncMode::Newer).await.unwrap();
    let levels = gate.levels(&[ProductId(1)]).await.unwrap();
    assert_eq!(levels, [Some(GateLevel { free: 7, version: 6 })]);
}

#[rstest]
#[tokio::test]
async fn the_heartbeat_heals_drift_at_the_same_version(#[values(Real, Embedded)] family: Family) {
    let gate = gate(family).await;
    gate.sync(&[level(1, 10, 3)], SyncMode::Newer).await.unwrap();
    gate.claim(&[claim(1, &[4])]).await.unwrap();
    gate.sync(&[level(1, 10, 3)], SyncMode::NewerOrEqual).await.unwrap();
    assert_eq!(free(&*gate, 1).await, Some(10));
    gate.sync(&[level(1, 99, 2)], SyncMode::NewerOrEqual).await.unwrap();
    assert_eq!(free(&*gate, 1).await, Some(10));
}

#[rstest]
#[tokio::test]
async fn a_sync_tells_what_it_found(#[values(Real, Embedded)] family: Family) {
    let gate = gate(family).await;
    let found = gate.sync(&[level(1, 10, 3)], SyncMode::NewerOrEqual).await.unwrap();
    assert_eq!(found, [None]);
    gate.claim(&[claim(1, &[4])]).await.unwrap();
    let short = Some(GateLevel { free: 6, version: 3 });
    let both = [level(2, 1, 1), level(1, 10, 3)];
    assert_eq!(gate.sync(&both, SyncMode::NewerOrEqual).await.unwrap(), [None, short]);
    let healed = Some(GateLevel { free: 10, version: 3 });
    let older = [level(1, 99, 2)];
    assert_eq!(gate.sync(&older, SyncMode::NewerOrEqual).await.unwrap(), [healed]);
    assert_eq!(gate.sync(&older, SyncMode::Newer).await.unwrap(), [healed]);
    assert_eq!(gate.sync(&[], SyncMode::NewerOrEqual).await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn counts_stay_exact_when_they_are_large(#[values(Real, Embedded)] family: Family) {
    let gate = gate(family).await;
    let many = 1_000_000_000_000_001;
    gate.sync(&[level(1, many, 1)], SyncMode::Newer).await.unwrap();
    gate.claim(&[claim(1, &[1])]).await.unwrap();
    assert_eq!(free(&*gate, 1).await, Some(many - 1));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_never_gets_more_than_there_is(#[values(Real, Embedded)] family: Family) {
    let gate = gate(family).await;
    gate.sync(&[level(1, 100, 1)], SyncMode::Newer).await.unwrap();
    let crowd = (0..20).map(|_| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { gate.claim(&[claim(1, &[1; 20])]).await.unwrap() })
    });
    let mut taken = 0;
    for answers in futures::future::join_all(crowd).await {
        taken += answers.unwrap()[0].iter().filter(|&&answer| answer == YES).count();
    }
    assert_eq!(taken, 100);
}

#[tokio::test]
async fn a_redis_that_is_away_is_an_error_and_then_left_alone() {
    let config = config_for("redis://127.0.0.1:1/0".into());
    let gate = RedisGate::new(Arc::new(RedisPool::new(&config).unwrap()));
    let first = gate.claim(&[claim(1, &[1])]).await.unwrap_err();
    let second = gate.claim(&[claim(1, &[1])]).await.unwrap_err();
    assert!(!first.0.contains("left alone"), "{first}");
    assert!(second.0.contains("left alone"), "{second}");
}
