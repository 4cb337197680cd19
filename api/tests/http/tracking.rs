//! `GET /api/v1/purchases/{id}` and `POST /api/v1/purchases/query`.

use serde_json::{Value, json};
use shared::domain::testing::id;
use shared::testing::eventually;

use crate::support::{TestApp, buy_body};

async fn accept(app: &TestApp, user: &str) -> String {
    let accepted = app.post("/api/v1/async/purchase", &buy_body(user, 1)).await.ok(202);
    accepted["trackingId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_purchase_in_the_queue_is_queued() {
    let app = TestApp::start(5).await;
    let id = accept(&app, "u-1").await;
    let answer = app.get(&format!("/api/v1/purchases/{id}")).await;
    let shown = answer.ok(200);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!((&shown["status"], &shown["terminal"]), (&"QUEUED".into(), &false.into()));
    assert_eq!((&shown["trackingId"], &shown["orderId"]), (&id.clone().into(), &id.into()));
    assert_eq!((&shown["version"], &shown["decidedAt"]), (&0.into(), &Value::Null));
    assert!(shown["acceptedAt"].is_string());
    for unknown in ["reason", "productId", "sku", "unitPrice", "expiresAt"] {
        assert_eq!(shown[unknown], Value::Null, "{unknown}");
        assert!(shown.as_object().unwrap().contains_key(unknown), "{unknown}");
    }
}

#[tokio::test]
async fn a_wait_ends_when_the_purchase_is_decided() {
    let app = TestApp::start(1).await;
    let (first, second) = (accept(&app, "u-1").await, accept(&app, "u-2").await);
    let path = format!("/api/v1/purchases/{first}?wait=25");
    let (shown, ()) = tokio::join!(app.get(&path), async { app.work() });
    let shown = shown.ok(200);
    assert_eq!((&shown["status"], &shown["version"]), (&"CONFIRMED".into(), &1.into()));
    assert_eq!((&shown["unitPrice"], &shown["quantity"]), (&"999.99".into(), &1.into()));
    let prefer = [("prefer", "wait=25")];
    let answer = app.get_with(&format!("/api/v1/purchases/{second}"), &prefer).await;
    let shown = answer.ok(200);
    assert_eq!(answer.header("preference-applied"), "wait=25");
    assert_eq!((&shown["status"], &shown["reason"]), (&"REJECTED".into(), &"OUT_OF_STOCK".into()));
    assert_eq!(shown["terminal"], true);
}

#[tokio::test]
async fn a_wait_that_is_over_shows_what_is_known() {
    let app = TestApp::start(1).await;
    let id = accept(&app, "u-1").await;
    let began = tokio::time::Instant::now();
    let shown = app.get(&format!("/api/v1/purchases/{id}?wait=1")).await.ok(200);
    assert_eq!(shown["status"], "QUEUED");
    assert!(began.elapsed().as_millis() >= 1_000);
    for wait in ["x", "-1", "", "1.5"] {
        app.get(&format!("/api/v1/purchases/{id}?wait={wait}")).await.faults(&["wait"]);
    }
}

#[tokio::test]
async fn an_id_that_was_never_issued_is_a_404_and_a_malformed_one_a_400() {
    let app = TestApp::start(1).await;
    let never = app.get(&format!("/api/v1/purchases/{}", id(7))).await;
    never.problem(404, "PURCHASE_NOT_FOUND");
    for text in ["x", "7", "019a9d2e3c00800080009f0c6a1b2c3d", "%ff"] {
        app.get(&format!("/api/v1/purchases/{text}")).await.faults(&["trackingId"]);
    }
}

#[tokio::test]
async fn a_replay_is_shown_as_its_original() {
    let app = TestApp::start(5).await;
    app.work();
    let key = [("idempotency-key", "k-1")];
    let body = buy_body("u-1", 1);
    let sold = app.post_with("/api/v1/sync/purchase", &key, &body).await.ok(200);
    // The same key once more, past a map that forgot it: only the ledger's index is left.
    let other = TestApp::bare(
        shared::ports::Ports {
            idempotency: shared::adapters::family::embedded().idempotency,
            ..app.ports.clone()
        },
        |_| {},
    )
    .await;
    eventually("the other instance is ready", async || {
        (other.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    let again = other.post_with("/api/v1/async/purchase", &key, &body).await.ok(202);
    assert_ne!(again["trackingId"], sold["orderId"]);
    let path = format!("{}?wait=25", again["links"]["self"].as_str().unwrap());
    let shown = other.get(&path).await.ok(200);
    assert_eq!((&shown["status"], &shown["replayOf"]), (&"CONFIRMED".into(), &sold["orderId"]));
    assert_eq!((&shown["orderId"], &shown["trackingId"]), (&sold["orderId"], &again["trackingId"]));
    let replay = other.post_with("/api/v1/sync/purchase", &key, &body).await.ok(200);
    assert_eq!(replay["orderId"], sold["orderId"]);
    assert_eq!(app.available().await, 4);
}

#[tokio::test]
async fn many_are_asked_for_at_once() {
    let app = TestApp::start(5).await;
    let queued = accept(&app, "u-1").await;
    let sold = app.post("/api/v1/sync/purchase", &buy_body("u-2", 1)).await.ok(200);
    let never = id(7).to_string();
    let ids = json!({"trackingIds": [queued, sold["orderId"], never]});
    let found = app.post("/api/v1/purchases/query", &ids).await.ok(200);
    let states: Vec<_> =
        found["purchases"].as_array().unwrap().iter().map(|p| p["status"].clone()).collect();
    assert_eq!(states, ["QUEUED", "CONFIRMED"]);
    assert_eq!(found["unknown"], json!([never]));
}

#[tokio::test]
async fn a_query_has_five_hundred_ids_at_most() {
    let app = TestApp::start(5).await;
    let ids = |n: u128| {
        let ids: Vec<_> = (1..=n).map(|n| id(n).to_string()).collect();
        json!({ "trackingIds": ids })
    };
    let path = "/api/v1/purchases/query";
    let found = app.post(path, &ids(500)).await.ok(200);
    assert_eq!(found["unknown"].as_array().unwrap().len(), 500);
    app.post(path, &ids(501)).await.faults(&["trackingIds"]);
    app.post(path, &json!({})).await.faults(&["trackingIds"]);
    app.post(path, &json!({"trackingIds": "x"})).await.faults(&["trackingIds"]);
    let bad = json!({"trackingIds": ["x", id(1).to_string(), 7]});
    app.post(path, &bad).await.faults(&["trackingIds[0]", "trackingIds[2]"]);
    app.post(path, &json!({"trackingIds": []})).await.ok(200);
}
