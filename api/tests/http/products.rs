//! Products, availability, stock.

use serde_json::Value;
use shared::domain::testing::tester;

use crate::support::{TestApp, buy_body, product};

#[tokio::test]
async fn products_come_in_pages() {
    let app = TestApp::start(1).await;
    for n in 2..=5 {
        let sku = format!("SKU-{n}");
        let new = serde_json::json!({
            "sku": sku, "name": sku, "basePrice": "1.00", "currency": "USD", "totalInventory": n,
        });
        app.operate("POST", "/api/v1/products", &new).await.ok(201);
    }
    let page = app.get("/api/v1/products?limit=2").await.ok(200);
    let ids = |page: &Value| {
        let products = page["products"].as_array().unwrap().iter();
        products.map(|p| p["productId"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((ids(&page), &page["next"]), (vec![1, 2], &2.into()));
    let page = app.get("/api/v1/products?limit=2&after=2").await.ok(200);
    assert_eq!((ids(&page), &page["next"]), (vec![3, 4], &4.into()));
    assert_eq!(page["products"][1]["availability"]["availableCount"], 4);
    let page = app.get("/api/v1/products?after=4").await.ok(200);
    assert_eq!((ids(&page), &page["next"]), (vec![5], &Value::Null));
    for limit in ["0", "201", "x", "-1", ""] {
        app.get(&format!("/api/v1/products?limit={limit}")).await.faults(&["limit"]);
    }
    app.get("/api/v1/products?after=x&limit=0").await.faults(&["limit", "after"]);
}

#[tokio::test]
async fn a_product_is_found_by_number_and_by_sku() {
    let app = TestApp::start(9).await;
    for name in ["1", "SKU-1", "SKU%2D1"] {
        let found = app.get(&format!("/api/v1/products/{name}")).await.ok(200);
        assert_eq!((&found["productId"], &found["sku"]), (&1.into(), &"SKU-1".into()));
        assert_eq!((&found["basePrice"], &found["currency"]), (&"999.99".into(), &"USD".into()));
        assert_eq!(found["availability"]["totalInventory"], 9);
    }
    for path in ["/api/v1/products/77", "/api/v1/products/NOPE/availability"] {
        app.get(path).await.problem(404, "PRODUCT_NOT_FOUND");
    }
    app.get("/api/v1/sync/stock/77").await.problem(404, "PRODUCT_NOT_FOUND");
    for name in ["0", "a%20b", "99999999999999999999", "%00", "%FF", "%2"] {
        app.get(&format!("/api/v1/products/{name}")).await.faults(&["product"]);
    }
}

#[tokio::test]
async fn availability_tells_everything_a_page_shows() {
    let app = TestApp::start(2).await;
    let before = app.get("/api/v1/products/1/availability").await.ok(200);
    let fields = [
        "productId",
        "skuId",
        "name",
        "description",
        "category",
        "basePrice",
        "flashSalePrice",
        "discountPercentage",
        "currency",
        "availableCount",
        "reservedCount",
        "soldCount",
        "totalInventory",
        "isAvailable",
        "isActive",
        "imageUrl",
        "version",
        "asOf",
    ];
    let mut names: Vec<_> = before.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = fields.to_vec();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(before["flashSalePrice"], Value::Null);

    app.post("/api/v1/sync/purchase", &buy_body("u-1", 2)).await.ok(200);
    let after = app.get("/api/v1/products/SKU-1/availability").await.ok(200);
    assert_eq!((&after["availableCount"], &after["soldCount"]), (&0.into(), &2.into()));
    assert_eq!((&after["isAvailable"], &after["isActive"]), (&false.into(), &true.into()));
    assert!(after["version"].as_i64() > before["version"].as_i64());
}

#[tokio::test]
async fn stock_is_one_number() {
    let app = TestApp::start(7).await;
    let stock = app.get("/api/v1/sync/stock/SKU-1").await.ok(200);
    assert_eq!(stock, serde_json::json!({"productId": 1, "stock": 7}));
}

#[tokio::test]
async fn a_product_the_board_does_not_know_is_read_from_the_ledger() {
    let app = TestApp::start(7).await;
    app.ports.ledger.create_product(&product("SKU-2", 3), &tester()).await.unwrap();
    assert_eq!(app.get("/api/v1/sync/stock/2").await.ok(200)["stock"], 3);
}
