//! The pipeline end to end: real programs, real servers, a client's view.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use serde_json::{Value, json};
use support::{Stack, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_travels_from_202_to_its_outcome() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let _worker = stack.worker();
    let product = client.add_product("HAPPY", 5).await;

    let accepted = client.buy("async", product, "u-1").await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let id = accepted.text("trackingId");
    assert_eq!(accepted.headers["location"], format!("/api/v1/purchases/{id}"));
    assert_eq!(accepted.body["status"], "QUEUED");

    let outcome = client.outcome(&id).await;
    assert_eq!(outcome["status"], "CONFIRMED");
    assert_eq!(outcome["userId"], "u-1");
    assert_eq!(outcome["totalPrice"], "9.99");
    stack.healthy().await;
    assert_eq!(stock(&client, product).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_synchronous_way_gives_the_same_answers_without_a_worker() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let product = client.add_product("SYNC", 2).await;

    let bought = client.buy("sync", product, "u-1").await;
    assert_eq!((bought.status, &bought.body["status"]), (200, &json!("CONFIRMED")), "{bought:?}");
    assert_eq!(bought.body["remainingStock"], 1);
    let short = client.post("/api/buy/SYNC", &[("x-user-id", "u-2")], json!({})).await;
    assert_eq!(short.status, 200, "{short:?}");
    let sold_out = client.buy("sync", product, "u-3").await;
    assert_eq!((sold_out.status, sold_out.code()), (409, "OUT_OF_STOCK"));

    let polled = client.outcome(&bought.text("trackingId")).await;
    assert_eq!(polled["status"], "CONFIRMED");
    assert!(stack.audit().1["healthy"].is_boolean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_gets_exactly_what_there_is() {
    let stack = Stack::new().await;
    let (_first, one) = stack.api().await;
    let (_second, two) = stack.api().await;
    let _workers = [stack.worker(), stack.worker()];
    let product = one.add_product("CROWD", 50).await;

    let crowd = (0..400).map(async |n| {
        let client = if n % 2 == 0 { &one } else { &two };
        let mode = if n % 3 == 0 { "sync" } else { "async" };
        let (path, key) = (format!("/api/v1/{mode}/purchase"), format!("crowd-{n}"));
        let body = json!({"productId": product, "quantity": 1, "userId": format!("u-{n}")});
        // A busy machine may say *try again*, and with its key a client may.
        let answer = eventually("an answer", async || {
            let answer = client.post(&path, &[("idempotency-key", &key)], body.clone()).await;
            (answer.status != 503).then_some(answer)
        })
        .await;
        match answer.status {
            202 => client.outcome(&answer.text("trackingId")).await["status"].clone(),
            200 => answer.body["status"].clone(),
            _ => json!(answer.code()),
        }
    });
    let outcomes: Vec<Value> = futures::future::join_all(crowd).await;
    let count = |what: &[&str]| {
        outcomes.iter().filter(|outcome| what.contains(&outcome.as_str().unwrap())).count()
    };
    assert_eq!(count(&["CONFIRMED"]), 50, "{outcomes:?}");
    assert_eq!(count(&["REJECTED", "OUT_OF_STOCK"]), 350, "{outcomes:?}");
    stack.healthy().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_the_same_purchase_and_a_reused_key_is_refused() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let _worker = stack.worker();
    let product = client.add_product("KEYED", 9).await;
    let body = |units| json!({"productId": product, "quantity": units, "userId": "u-1"});
    let key = [("idempotency-key", "attempt-1")];

    let first = client.post("/api/v1/async/purchase", &key, body(1)).await;
    let retry = client.post("/api/v1/async/purchase", &key, body(1)).await;
    assert_eq!((first.status, retry.status), (202, 202), "{first:?} {retry:?}");
    assert_eq!(first.text("trackingId"), retry.text("trackingId"));
    let sync = client.post("/api/v1/sync/purchase", &key, body(1)).await;
    assert_eq!((sync.status, sync.text("trackingId")), (200, first.text("trackingId")));
    let reused = client.post("/api/v1/async/purchase", &key, body(2)).await;
    assert_eq!((reused.status, reused.code()), (422, "IDEMPOTENCY_KEY_REUSED"));

    client.outcome(&first.text("trackingId")).await;
    stack.healthy().await;
    assert_eq!(stock(&client, product).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_nothing_is_published() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let product = client.add_product("INPUT", 5).await;
    let refused = [
        (json!({"productId": product, "quantity": 0, "userId": "u"}), 400, "INVALID_REQUEST"),
        (json!({"productId": product, "quantity": -1, "userId": "u"}), 400, "INVALID_REQUEST"),
        (json!({"productId": product, "quantity": 1e9, "userId": "u"}), 400, "INVALID_REQUEST"),
        (json!({"productId": product, "quantity": "1", "userId": "u"}), 400, "INVALID_REQUEST"),
        (
            json!({"productId": product, "sku": "INPUT", "quantity": 1, "userId": "u"}),
            400,
            "INVALID_REQUEST",
        ),
        (json!({"quantity": 1, "userId": "u"}), 400, "INVALID_REQUEST"),
        (
            json!({"productId": product, "quantity": 1, "userId": "x".repeat(129)}),
            400,
            "INVALID_REQUEST",
        ),
        (json!({"productId": 999_999, "quantity": 1, "userId": "u"}), 404, "PRODUCT_NOT_FOUND"),
    ];
    for mode in ["async", "sync"] {
        for (body, status, code) in &refused {
            let answer = client.post(&format!("/api/v1/{mode}/purchase"), &[], body.clone()).await;
            assert_eq!((answer.status, answer.code()), (*status, *code), "{body} {answer:?}");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
        }
    }
    let queue = client.get("/api/v1/async/queue/status").await;
    assert_eq!(queue.body["depth"], 0, "{queue:?}");
    assert_eq!(client.get("/api/v1/purchases/not-an-id").await.status, 400);
    let never = "01982b4e-5c00-8000-8000-000000000000";
    let answer = client.get(&format!("/api/v1/purchases/{never}")).await;
    assert_eq!((answer.status, answer.code()), (404, "PURCHASE_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_queue_lands_once_in_the_dead_letters_and_the_rest_flows() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let product = client.add_product("GARBAGE", 5).await;
    stack.servers.vhost.publish("purchases", "purchase", b"\xffnot an envelope").await;
    let behind = client.buy("async", product, "u-1").await;

    let _worker = stack.worker();
    assert_eq!(client.outcome(&behind.text("trackingId")).await["status"], "CONFIRMED");
    eventually("the dead letter", async || {
        let queue = client.get("/api/v1/async/queue/status").await;
        (queue.body["deadLetters"] == 1 && queue.body["depth"] == 0).then_some(())
    })
    .await;
    // It stays one: dead-lettering is no loop.
    let after = client.buy("async", product, "u-2").await;
    assert_eq!(client.outcome(&after.text("trackingId")).await["status"], "CONFIRMED");
    let queue = client.get("/api/v1/async/queue/status").await;
    assert_eq!(queue.body["deadLetters"], 1, "{queue:?}");
}

async fn stock(client: &support::Client, product: i64) -> i64 {
    let answer = client.get(&format!("/api/v1/sync/stock/{product}")).await;
    answer.body["stock"].as_i64().unwrap_or_else(|| panic!("{answer:?}"))
}
