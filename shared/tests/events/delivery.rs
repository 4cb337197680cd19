//! Told at least once, whatever happens in between.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use shared::domain::Act;
use shared::pipeline::relay::Payer;
use shared::ports::LedgerError;
use shared::testing::ledger::{Guard, GuardedLedger};

use crate::support::{Heard, Shop, buy, hold};

/// Dies between telling and forgetting what it owed.
struct Crash;

impl Guard for Crash {
    fn before(&self, name: &'static str) -> Result<(), LedgerError> {
        match name {
            "clear_dues" => Err(LedgerError::Unavailable("crashed".into())),
            _ => Ok(()),
        }
    }
}

fn ids(heard: &[Heard]) -> BTreeSet<&str> {
    heard.iter().map(Heard::id).collect()
}

#[tokio::test]
async fn what_is_told_again_after_a_crash_has_the_same_ids() {
    let shop = Shop::open().await;
    let product = shop.product("TV", 3).await;
    let listener = shop.listen("all", json!({})).await;
    let held = hold(product, "ann", 600);
    let told = shop.record(&[held.clone(), buy(product, "bob", 2), buy(product, "cat", 1)]).await;
    let ledger = Arc::new(GuardedLedger { inner: shop.ledger.clone(), guard: Crash });
    Payer { ledger, ..shop.payer.clone() }.pay(vec![told]).await;
    let first = listener.heard().await;
    assert_eq!(first.len(), 5, "held, sold, refused, stock changed, sold out: {first:#?}");

    // Since then the order went on.
    shop.act(held.id, Act::Release).await;
    listener.heard().await;
    shop.let_leases_run_out().await;
    assert_eq!(shop.payer.sweep().await.unwrap(), 1);
    let again = listener.heard().await;
    assert_eq!(ids(&again), ids(&first));
    let of_orders = |heard: &[Heard]| -> Vec<_> {
        heard.iter().filter(|m| !m.routing_key.starts_with("stock.")).cloned().collect()
    };
    assert_eq!(of_orders(&again), of_orders(&first), "and says the same");
    assert_eq!(shop.dues().await, 0);
}

#[tokio::test]
async fn what_the_broker_refuses_is_owed_until_it_takes_it() {
    let shop = Shop::open().await;
    let product = shop.product("TV", 3).await;
    let listener = shop.listen("all", json!({})).await;
    let full = json!({ "x-max-length": 0, "x-overflow": "reject-publish" });
    let full = shop.listen("full", full).await;
    let told = shop.record(&[buy(product, "ann", 1)]).await;
    assert!(!shop.payer.pay(vec![told]).await);
    assert_eq!(shop.dues().await, 1);
    let first = listener.heard().await;

    full.leave().await;
    shop.let_leases_run_out().await;
    assert_eq!(shop.payer.sweep().await.unwrap(), 1);
    assert_eq!(shop.dues().await, 0);
    assert_eq!(ids(&listener.heard().await), ids(&first));
}

#[tokio::test]
async fn nothing_is_told_where_events_are_turned_off() {
    let mut shop = Shop::open().await;
    shop.payer.events = None;
    let product = shop.product("TV", 3).await;
    let listener = shop.listen("all", json!({})).await;
    shop.settle(&[buy(product, "ann", 1)]).await;
    assert_eq!(listener.heard().await, []);
    assert_eq!(shop.dues().await, 0);
}
