//! Operators' routes.

use serde_json::{Value, json};
use shared::domain::ProductId;

use crate::support::{API_KEY, TestApp, buy_body};

fn lamp() -> Value {
    json!({
        "sku": "LAMP-1", "name": "Lamp", "description": "Gives light", "category": "home",
        "imageUrl": "https://example.org/lamp.png", "basePrice": "19.90", "currency": "EUR",
        "totalInventory": 40, "perUserLimit": 2,
    })
}

#[tokio::test]
async fn strangers_are_turned_away_before_anything_is_read() {
    let app = TestApp::start(5).await;
    let json = ("content-type", "application/json");
    let routes = [
        ("POST", "/api/v1/products"),
        ("PATCH", "/api/v1/products/1"),
        ("POST", "/api/v1/products/1/restock"),
        ("POST", "/api/v1/flash-sales"),
        ("PATCH", "/api/v1/flash-sales/1"),
        ("POST", "/api/v1/flash-sales/1/cancel"),
        ("POST", "/api/v1/orders/1/fulfil"),
        ("GET", "/api/v1/admin/audit"),
        ("GET", "/api/v1/admin/audit-log"),
        ("GET", "/api/v1/admin/dead-letters"),
        ("GET", "/api/v1/admin/dead-letters/1"),
        ("POST", "/api/v1/admin/dead-letters/1/replay"),
        ("POST", "/api/v1/admin/dead-letters/1/discard"),
        ("POST", "/api/v1/admin/dead-letters/replay"),
        ("POST", "/api/v1/admin/dead-letters/discard"),
    ];
    let longer = format!("{API_KEY}x");
    for (method, path) in routes {
        for key in [None, Some(""), Some("wrong"), Some(&API_KEY[1..]), Some(longer.as_str())] {
            let mut headers = vec![json];
            headers.extend(key.map(|key| ("x-api-key", key)));
            let answer = app.send(method, path, &headers, "not json").await;
            answer.problem(401, "UNAUTHENTICATED");
            assert!(answer.header("www-authenticate").contains("ApiKey"));
        }
    }
}

#[tokio::test]
async fn a_new_product_is_sold_at_once() {
    let app = TestApp::start(5).await;
    let answer = app.operate("POST", "/api/v1/products", &lamp()).await;
    let made = answer.ok(201);
    assert_eq!(answer.header("location"), "/api/v1/products/2");
    assert_eq!((&made["productId"], &made["sku"]), (&2.into(), &"LAMP-1".into()));
    assert_eq!((&made["basePrice"], &made["perUserLimit"]), (&"19.90".into(), &2.into()));
    assert_eq!((&made["active"], &made["currency"]), (&true.into(), &"EUR".into()));
    assert_eq!(made["availability"]["availableCount"], 40);
    let sold = app.send("POST", "/api/buy/LAMP-1", &[("x-user-id", "u")], "").await.ok(200);
    assert_eq!((&sold["unitPrice"], &sold["remainingStock"]), (&"19.90".into(), &39.into()));
    // The gate has it too.
    assert!(app.ports.gate.levels(&[ProductId(2)]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_sku_belongs_to_one_product() {
    let app = TestApp::start(5).await;
    app.operate("POST", "/api/v1/products", &lamp()).await.ok(201);
    app.operate("POST", "/api/v1/products", &lamp()).await.problem(409, "SKU_TAKEN");
}

#[tokio::test]
async fn every_fault_of_a_product_is_listed() {
    let app = TestApp::start(5).await;
    let required = ["sku", "name", "basePrice", "currency", "totalInventory"];
    app.operate("POST", "/api/v1/products", &json!({})).await.faults(&required);
    let mut bad = lamp();
    bad["basePrice"] = json!(19.9);
    bad["name"] = json!("a\u{0}b");
    app.operate("POST", "/api/v1/products", &bad).await.faults(&["name", "basePrice"]);
    app.operate("PATCH", "/api/v1/products/1", &json!({"colour": 1})).await.faults(&["body"]);
    app.operate("PATCH", "/api/v1/products/9", &json!({"active": true}))
        .await
        .problem(404, "PRODUCT_NOT_FOUND");
    assert_eq!(app.get("/api/v1/products").await.ok(200)["products"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_request() {
    let app = TestApp::start(5).await;
    let change = json!({"name": "New", "price": "5.00", "perUserLimit": 1});
    let changed = app.operate("PATCH", "/api/v1/products/SKU-1", &change).await.ok(200);
    assert_eq!((&changed["name"], &changed["basePrice"]), (&"New".into(), &"5.00".into()));
    assert_eq!(
        (&changed["perUserLimit"], &changed["description"]),
        (&1.into(), &"For tests".into())
    );
    let sold = app.post("/api/v1/sync/purchase", &buy_body("u-1", 1)).await.ok(200);
    assert_eq!(sold["unitPrice"], "5.00");
    app.operate("PATCH", "/api/v1/products/1", &json!({"active": false})).await.ok(200);
    app.post("/api/v1/sync/purchase", &buy_body("u-2", 1)).await.problem(409, "PRODUCT_INACTIVE");
}

#[tokio::test]
async fn a_restock_ends_sold_out_and_a_withdrawal_leaves_what_is_sold() {
    let app = TestApp::start(1).await;
    let path = "/api/v1/products/1/restock";
    app.post("/api/v1/sync/purchase", &buy_body("u-1", 1)).await.ok(200);
    app.post("/api/v1/async/purchase", &buy_body("u-2", 1)).await.problem(409, "OUT_OF_STOCK");
    let level = app.operate("POST", path, &json!({"quantity": 2})).await.ok(200);
    assert_eq!((&level["totalInventory"], &level["availableCount"]), (&3.into(), &2.into()));
    app.post("/api/v1/async/purchase", &buy_body("u-2", 1)).await.ok(202);
    let problem =
        app.operate("POST", path, &json!({"quantity": -3})).await.problem(409, "STOCK_IN_USE");
    assert_eq!(problem["details"]["available"], 2);
    let level = app.operate("POST", path, &json!({"quantity": -2})).await.ok(200);
    assert_eq!((&level["availableCount"], &level["soldCount"]), (&0.into(), &1.into()));
    for quantity in [json!(0), json!("1"), json!(null), json!(1.5), json!(2_000_000_000)] {
        app.operate("POST", path, &json!({"quantity": quantity})).await.faults(&["quantity"]);
    }
    app.operate("POST", "/api/v1/products/9/restock", &json!({"quantity": 1}))
        .await
        .problem(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn the_audit_adds_up_after_a_sale() {
    let app = TestApp::start(5).await;
    app.operate("POST", "/api/v1/products/1/restock", &json!({"quantity": 3})).await.ok(200);
    app.post("/api/v1/sync/purchase", &buy_body("u-1", 2)).await.ok(200);
    // Until the relay has told the gate, and the outbox row is paid.
    let audit =
        shared::testing::eventually("the audit is healthy and the outbox empty", async || {
            let audit = app.operate("GET", "/api/v1/admin/audit", &json!({})).await.ok(200);
            (audit["healthy"] == true && audit["outbox"] == 0).then_some(audit)
        })
        .await;
    let product = &audit["products"][0];
    let numbers = ["productId", "total", "available", "reserved", "sold"];
    assert_eq!(numbers.map(|n| product[n].as_i64().unwrap()), [1, 8, 6, 0, 2]);
    for truth in ["conserved", "ordersMatch", "gateMatches"] {
        assert_eq!(product[truth], true, "{truth}: {audit}");
    }
    assert_eq!(product["gate"]["free"], 6);
    assert!(product["gate"]["version"].is_i64() && product["version"].is_i64());
    assert_eq!((&audit["parked"], &audit["deadLetters"]), (&0.into(), &0.into()));
}
