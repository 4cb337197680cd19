//! `GET /api/v1/products/{product}/stock/events`.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::json;
use shared::testing::eventually;
use tokio::time::Instant;

use crate::support::{TestApp, buy_body};

const PATH: &str = "/api/v1/products/1/stock/events";

async fn buy(app: &TestApp) {
    app.post("/api/v1/sync/purchase", &buy_body("u-1", 1)).await.ok(200);
}

#[tokio::test]
async fn stock_is_told_now_and_at_every_change() {
    let app = TestApp::start(5).await;
    let mut events = app.events("/api/v1/products/SKU-1/stock/events", &[]).await;
    let mut first = events.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.id.as_str()), ("stock", "1"));
    let as_of = first.data.as_object_mut().unwrap().remove("asOf").unwrap();
    assert!(as_of.as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "productId": 1, "skuId": "SKU-1", "availableCount": 5, "reservedCount": 0,
        "soldCount": 0, "totalInventory": 5, "isAvailable": true, "version": 1,
    });
    assert_eq!(first.data, expected);
    for sold in 1..=5 {
        buy(&app).await;
        let event = events.next().await.unwrap();
        assert_eq!(event.id, event.data["version"].to_string());
        assert_eq!(event.data["soldCount"], sold);
        assert_eq!(event.data["isAvailable"], sold < 5);
    }
    let stock = app.operate("POST", "/api/v1/products/1/restock", &json!({"quantity": 3})).await;
    assert_eq!(stock.status, 200);
    assert_eq!(events.tells("availableCount").await.1, 3);
}

#[tokio::test]
async fn a_client_that_comes_back_is_not_told_what_it_has() {
    let app = TestApp::start(5).await;
    buy(&app).await;
    let mut events = app.events(PATH, &[("last-event-id", "2")]).await;
    let mut behind = app.events(PATH, &[("last-event-id", "1")]).await;
    assert_eq!(behind.tells("version").await, ("2".into(), 2.into()));
    buy(&app).await;
    assert_eq!(events.tells("version").await, ("3".into(), 3.into()));
}

#[tokio::test]
async fn changes_in_a_rush_are_told_ten_times_a_second_and_the_last_always() {
    // More than can be sold in a second.
    const UNITS: i64 = 1_000_000;
    let app = TestApp::start(UNITS).await;
    let mut events = app.events(PATH, &[]).await;
    assert_eq!(events.tells("version").await.1, 1);
    let began = Instant::now();
    let rush = async {
        let mut sold = 0;
        while began.elapsed() < Duration::from_secs(1) {
            buy(&app).await;
            sold += 1;
        }
        sold
    };
    let hear = async {
        let (mut told, mut version) = (vec![], 1);
        // Long enough for the rush: until the ledger's last version was told.
        loop {
            let event = events.next().await.unwrap();
            let next = event.data["version"].as_i64().unwrap();
            assert!(next > version, "{next} after {version}");
            version = next;
            told.push(Instant::now());
            let sold = event.data["soldCount"].as_i64().unwrap();
            if began.elapsed() > Duration::from_secs(1) && UNITS - sold == app.available().await {
                return (sold, told);
            }
        }
    };
    let (sold, (told_sold, told)) = tokio::join!(rush, hear);
    assert!(sold > 20, "{sold}: no rush");
    assert_eq!(told_sold, sold);
    let most = told.last().unwrap().duration_since(began).as_millis() / 100 + 2;
    assert!(told.len() as u128 <= most, "{} events, at most {most}", told.len());
}

#[tokio::test]
async fn a_product_that_is_not_there_has_no_stream() {
    let app = TestApp::start(1).await;
    app.get("/api/v1/products/nope/stock/events").await.problem(404, "PRODUCT_NOT_FOUND");
    app.get("/api/v1/products/0/stock/events").await.faults(&["product"]);
}

#[tokio::test]
async fn clients_beyond_the_bound_are_turned_away_until_one_leaves() {
    let one = NonZeroUsize::new(1).unwrap();
    let app = TestApp::with(1, |config| config.live.connections_max = one).await;
    let only = app.events(PATH, &[]).await;
    app.get(PATH).await.problem(503, "OVERLOADED");
    drop(only);
    let events = eventually("there is a place", async || {
        let answer = app.send("HEAD", PATH, &[], "").await;
        (answer.status == 200).then_some(())
    });
    events.await;
}
