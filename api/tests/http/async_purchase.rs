//! `POST /api/v1/async/purchase`.

use serde_json::json;
use shared::domain::testing::tester;

use crate::support::{TestApp, buy_body, product};

const PATH: &str = "/api/v1/async/purchase";

#[tokio::test]
async fn a_202_means_that_the_broker_has_it() {
    let app = TestApp::start(5).await;
    let answer = app.post(PATH, &buy_body("u-1", 2)).await;
    let body = answer.ok(202);
    let id = body["trackingId"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/purchases/{id}"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("preference-applied"), "");
    assert_eq!(
        (&body["accepted"], &body["status"], &body["productId"], &body["quantity"]),
        (&true.into(), &"QUEUED".into(), &1.into(), &2.into())
    );
    assert_eq!(body["userId"], "u-1");
    assert_eq!(body["links"]["self"], format!("/api/v1/purchases/{id}"));
    assert_eq!(body["links"]["events"], format!("/api/v1/purchases/{id}/events"));
    assert!(body["message"].is_string());
    let accepted_at = body["acceptedAt"].as_str().unwrap();
    assert_eq!(accepted_at.len(), "2026-01-01T00:00:00.000Z".len(), "{accepted_at}");
    assert_eq!(app.depth().await, 1);
}

#[tokio::test]
async fn a_product_is_named_by_number_or_sku() {
    let app = TestApp::start(5).await;
    for name in [json!({"productId": 1}), json!({"sku": "SKU-1"}), json!({"skuId": "SKU-1"})] {
        let mut body = buy_body("u-1", 1);
        body.as_object_mut().unwrap().remove("productId");
        body.as_object_mut().unwrap().extend(name.as_object().unwrap().clone());
        assert_eq!(app.post(PATH, &body).await.ok(202)["productId"], 1, "{body}");
    }
}

#[tokio::test]
async fn a_numeric_user_is_answered_as_a_string() {
    let app = TestApp::start(5).await;
    let body = json!({"productId": 1, "quantity": 1, "userId": 42, "unknown": {"a": [1]}});
    assert_eq!(app.post(PATH, &body).await.ok(202)["userId"], "42");
}

#[tokio::test]
async fn a_product_that_was_just_added_is_known() {
    let app = TestApp::start(5).await;
    app.ports.ledger.create_product(&product("SKU-2", 1), &tester()).await.unwrap();
    let body = json!({"sku": "SKU-2", "quantity": 1, "userId": "u"});
    assert_eq!(app.post(PATH, &body).await.ok(202)["productId"], 2);
}

#[tokio::test]
async fn a_wait_is_answered_with_the_outcome() {
    let app = TestApp::start(1).await;
    app.work();
    let prefer = [("prefer", "wait=20")];
    let answer = app.post_with(PATH, &prefer, &buy_body("u-1", 1)).await;
    let body = answer.ok(200);
    assert_eq!(answer.header("preference-applied"), "wait=20");
    assert_eq!((&body["status"], &body["terminal"]), (&"CONFIRMED".into(), &false.into()));
    assert_eq!((&body["unitPrice"], &body["sku"]), (&"999.99".into(), &"SKU-1".into()));
}

#[tokio::test]
async fn a_wait_that_is_over_is_answered_202() {
    let app = TestApp::start(1).await;
    let began = tokio::time::Instant::now();
    let answer = app.post_with(PATH, &[("prefer", "wait=1")], &buy_body("u-1", 1)).await;
    assert_eq!(answer.ok(202)["status"], "QUEUED");
    assert_eq!(answer.header("preference-applied"), "wait=1");
    assert!(began.elapsed().as_millis() >= 1_000);
}

#[tokio::test]
async fn what_is_no_wait_is_no_preference() {
    let app = TestApp::start(1).await;
    let answer = app.post_with(PATH, &[("prefer", "wait=soon")], &buy_body("u-1", 1)).await;
    answer.ok(202);
    assert_eq!(answer.header("preference-applied"), "");
}

#[tokio::test]
async fn a_retry_under_the_same_key_is_the_same_purchase() {
    let app = TestApp::start(5).await;
    app.work();
    let key = [("idempotency-key", "k-1")];
    let first = app.post_with(PATH, &key, &buy_body("u-1", 1)).await.ok(202);
    let again = app.post_with(PATH, &key, &buy_body("u-1", 1)).await.ok(202);
    assert_eq!(first["trackingId"], again["trackingId"]);
    assert_eq!(first["acceptedAt"], again["acceptedAt"]);
    let path = format!("{}?wait=20", first["links"]["self"].as_str().unwrap());
    assert_eq!(app.get(&path).await.ok(200)["status"], "CONFIRMED");
    assert_eq!(app.available().await, 4);
    // Another user's key is another key.
    let other = app.post_with(PATH, &key, &buy_body("u-2", 1)).await.ok(202);
    assert_ne!(first["trackingId"], other["trackingId"]);
}

#[tokio::test]
async fn a_key_that_came_with_another_request_is_refused() {
    let app = TestApp::start(5).await;
    let key = [("idempotency-key", "k-1")];
    app.post_with(PATH, &key, &buy_body("u-1", 1)).await.ok(202);
    let answer = app.post_with(PATH, &key, &buy_body("u-1", 2)).await;
    answer.problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(app.depth().await, 1);
}

#[tokio::test]
async fn a_keyed_retry_after_the_sale_is_answered_by_the_original() {
    let app = TestApp::start(1).await;
    let key = [("idempotency-key", "k-1")];
    let sold = app.post_with("/api/v1/sync/purchase", &key, &buy_body("u-1", 1)).await.ok(200);
    app.post(PATH, &buy_body("u-2", 1)).await.problem(409, "OUT_OF_STOCK");
    let again = app.post_with(PATH, &key, &buy_body("u-1", 1)).await.ok(202);
    assert_eq!(again["trackingId"], sold["trackingId"]);
}

#[tokio::test]
async fn sold_out_is_refused_at_the_edge() {
    let app = TestApp::start(1).await;
    app.post("/api/v1/sync/purchase", &buy_body("u-1", 1)).await.ok(200);
    let problem = app.post(PATH, &buy_body("u-2", 1)).await.problem(409, "OUT_OF_STOCK");
    assert!(problem["details"].get("trackingId").is_none());
    assert_eq!(app.depth().await, 0);
}

#[tokio::test]
async fn a_product_that_is_switched_off_is_refused_at_the_edge() {
    let app = TestApp::start(1).await;
    app.operate("PATCH", "/api/v1/products/1", &json!({"active": false})).await.ok(200);
    app.post(PATH, &buy_body("u-1", 1)).await.problem(409, "PRODUCT_INACTIVE");
}

#[tokio::test]
async fn the_clients_trace_travels_with_the_purchase() {
    let app = TestApp::start(5).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for sent in [trace, "not-a-trace"] {
        app.post_with(PATH, &[("traceparent", sent)], &buy_body("u-1", 1)).await.ok(202);
    }
    let mut deliveries = app.ports.queue.consume().await.unwrap();
    let mut traces = vec![];
    for _ in 0..2 {
        let delivery = deliveries.next().await.unwrap();
        let envelope = shared::domain::envelope::decode(&delivery.body).unwrap();
        assert!(envelope.purchases[0].accepted_at <= app.ports.clock.now());
        traces.push(envelope.purchases[0].traceparent.clone());
    }
    assert_eq!(traces, [Some(trace.into()), None]);
}
