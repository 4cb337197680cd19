//! `POST /api/v1/sync/purchase` and `POST /api/buy/{product}`.

use serde_json::json;
use shared::domain::ProductRef;
use shared::domain::testing::tester;
use shared::ports::ProductChange;

use crate::support::{TestApp, buy_body};

const PATH: &str = "/api/v1/sync/purchase";

#[tokio::test]
async fn the_outcome_is_in_the_answer() {
    let app = TestApp::start(100).await;
    let sold = app.post(PATH, &buy_body("u-1", 3)).await.ok(200);
    assert_eq!((&sold["success"], &sold["status"]), (&true.into(), &"CONFIRMED".into()));
    assert_eq!(sold["orderId"], sold["trackingId"]);
    assert_eq!((&sold["unitPrice"], &sold["totalPrice"]), (&"999.99".into(), &"2999.97".into()));
    assert_eq!((&sold["currency"], &sold["remainingStock"]), (&"USD".into(), &97.into()));
    assert_eq!(
        (&sold["productId"], &sold["quantity"], &sold["userId"]),
        (&1.into(), &3.into(), &"u-1".into())
    );
    assert!(sold["decidedAt"].is_string() && sold["message"].is_string());
    assert_eq!(app.available().await, 97);
    let shown = app.get(&format!("/api/v1/purchases/{}", sold["orderId"].as_str().unwrap())).await;
    assert_eq!(shown.ok(200)["status"], "CONFIRMED");
}

#[tokio::test]
async fn a_recorded_refusal_names_its_row() {
    let app = TestApp::start(5).await;
    // The limit is the ledger's to judge; the edge knows nothing of who bought what.
    let limit = ProductChange { per_user_limit: Some(Some(1)), ..ProductChange::default() };
    let product = ProductRef::Id(shared::domain::ProductId(1));
    app.ports.ledger.change_product(&product, &limit, &tester()).await.unwrap();
    app.post(PATH, &buy_body("u-1", 1)).await.ok(200);
    let problem = app.post(PATH, &buy_body("u-1", 1)).await.problem(409, "ALREADY_PURCHASED");
    let id = problem["details"]["trackingId"].as_str().unwrap();
    let shown = app.get(&format!("/api/v1/purchases/{id}")).await.ok(200);
    assert_eq!(shown["reason"], "ALREADY_PURCHASED");
    assert_eq!((&shown["status"], &shown["terminal"]), (&"REJECTED".into(), &true.into()));
}

#[tokio::test]
async fn the_last_unit_sells_and_no_more() {
    let app = TestApp::start(3).await;
    let (mut sold, mut refused) = (0, 0);
    let crowd = (0..12).map(|n| {
        let body = buy_body(&format!("u-{n}"), 1);
        let app = &app;
        async move { app.post(PATH, &body).await }
    });
    for answer in futures::future::join_all(crowd).await {
        if answer.status == 200 {
            sold += 1;
        } else {
            answer.problem(409, "OUT_OF_STOCK");
            refused += 1;
        }
    }
    assert_eq!((sold, refused, app.available().await), (3, 9, 0));
}

#[tokio::test]
async fn a_retry_under_the_same_key_finds_out_what_became_of_it() {
    let app = TestApp::start(2).await;
    let key = [("idempotency-key", "k-1")];
    let first = app.post_with(PATH, &key, &buy_body("u-1", 2)).await.ok(200);
    let again = app.post_with(PATH, &key, &buy_body("u-1", 2)).await.ok(200);
    assert_eq!(first["orderId"], again["orderId"]);
    assert_eq!(first["decidedAt"], again["decidedAt"]);
    app.post_with(PATH, &key, &buy_body("u-1", 1)).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(app.available().await, 0);
}

#[tokio::test]
async fn the_short_form_buys_one() {
    let app = TestApp::start(5).await;
    let with_header = app.send("POST", "/api/buy/1", &[("x-user-id", "u-1")], "").await.ok(200);
    assert_eq!((&with_header["userId"], &with_header["quantity"]), (&"u-1".into(), &1.into()));
    let by_sku = app.post("/api/buy/SKU-1", &json!({"userId": 7})).await.ok(200);
    assert_eq!((&by_sku["userId"], &by_sku["remainingStock"]), (&"7".into(), &3.into()));
    // The header is the shop's word, the body the client's.
    let both = [("x-user-id", "u-9")];
    let both = app.post_with("/api/buy/1", &both, &json!({"userId": "u-8"})).await.ok(200);
    assert_eq!(both["userId"], "u-9");
}

#[tokio::test]
async fn the_short_form_needs_a_user() {
    let app = TestApp::start(5).await;
    app.send("POST", "/api/buy/1", &[], "").await.faults(&["userId"]);
    app.post("/api/buy/1", &json!({})).await.faults(&["userId"]);
    app.send("POST", "/api/buy/1", &[("x-user-id", "")], "").await.faults(&["X-User-Id"]);
    app.send("POST", "/api/buy/1", &[], "{}").await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    app.send("POST", "/api/buy/7", &[("x-user-id", "u")], "")
        .await
        .problem(404, "PRODUCT_NOT_FOUND");
    app.send("POST", "/api/buy/0", &[("x-user-id", "u")], "").await.faults(&["product"]);
    assert_eq!(app.available().await, 5);
}
