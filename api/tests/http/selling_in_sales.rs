//! Buying before, in and after a sale.

use serde_json::{Value, json};
use shared::testing::eventually;

use crate::sales::{PATH, body, cancel, change, in_hours, plan, planned, shown};
use crate::support::{Answer, TestApp, buy_body};

async fn buy(app: &TestApp, user: &str) -> Answer {
    app.post("/api/v1/sync/purchase", &buy_body(user, 1)).await
}

async fn availability(app: &TestApp) -> Value {
    app.get("/api/v1/products/1/availability").await.ok(200)
}

/// A purchase that is accepted and not settled yet: where its outcome will be.
async fn queued(app: &TestApp, user: &str) -> String {
    let accepted = app.post("/api/v1/async/purchase", &buy_body(user, 1)).await.ok(202);
    format!("{}?wait=20", accepted["links"]["self"].as_str().unwrap())
}

/// Makes sale 1 end; answers when it has.
async fn end(app: &TestApp) {
    eventually("the sale is cut short", async || {
        let soon = app.ports.clock.now().plus_millis(200).to_string();
        (change(app, 1, json!({"endsAt": soon})).await.status == 200).then_some(())
    })
    .await;
    eventually("the sale is over", async || {
        (shown(app, 1).await["status"] == "ended").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_sale_sells_at_its_price_under_its_limit_and_no_more_than_its_quantity() {
    let app = TestApp::start(5).await;
    let mut sale = body(&app, -1, 1);
    sale["quantity"] = json!(2);
    sale["perUserLimit"] = json!(1);
    assert_eq!(plan(&app, &sale).await.ok(201)["status"], "live");
    let open = availability(&app).await;
    assert_eq!((&open["flashSalePrice"], &open["basePrice"]), (&"499.99".into(), &"999.99".into()));
    assert_eq!((&open["discountPercentage"], &open["isAvailable"]), (&50.0.into(), &true.into()));
    let product = app.get("/api/v1/products/SKU-1").await.ok(200);
    assert_eq!(product["availability"]["flashSalePrice"], "499.99");

    assert_eq!(buy(&app, "u-1").await.ok(200)["unitPrice"], "499.99");
    buy(&app, "u-1").await.problem(409, "ALREADY_PURCHASED");
    assert_eq!(shown(&app, 1).await["remaining"], 1);
    buy(&app, "u-2").await.ok(200);
    buy(&app, "u-3").await.problem(409, "OUT_OF_STOCK");
    let sale = shown(&app, 1).await;
    assert_eq!(
        (&sale["taken"], &sale["remaining"], &sale["status"]),
        (&2.into(), &0.into(), &"live".into())
    );
    let page = app.get(&format!("{PATH}?status=live")).await.ok(200);
    assert_eq!(page["flashSales"][0]["taken"], 2);
    let sold = availability(&app).await;
    assert_eq!((&sold["isAvailable"], &sold["availableCount"]), (&false.into(), &3.into()));

    let problem = change(&app, 1, json!({"quantity": 1})).await.problem(409, "SALE_TAKEN");
    assert_eq!(problem["details"]["taken"], 2);
    let larger = change(&app, 1, json!({"quantity": 3, "flashPrice": "1.00"})).await.ok(200);
    assert_eq!((&larger["taken"], &larger["remaining"]), (&2.into(), &1.into()));
    assert_eq!(buy(&app, "u-3").await.ok(200)["unitPrice"], "1.00");
}

#[tokio::test]
async fn a_product_with_a_sale_to_come_waits_for_it() {
    let app = TestApp::start(5).await;
    planned(&app, 1, 2).await;
    buy(&app, "u-1").await.problem(409, "SALE_NOT_STARTED");
    let early = app.post("/api/v1/async/purchase", &buy_body("u-1", 1)).await;
    early.problem(409, "SALE_NOT_STARTED");
    let before = availability(&app).await;
    assert_eq!((&before["flashSalePrice"], &before["isAvailable"]), (&Value::Null, &false.into()));
    // The operator opens the doors.
    let now = json!({"startsAt": in_hours(&app, 0).to_string()});
    assert_eq!(change(&app, 1, now).await.ok(200)["status"], "live");
    assert_eq!(buy(&app, "u-1").await.ok(200)["unitPrice"], "499.99");
}

#[tokio::test]
async fn what_was_accepted_in_time_is_sold_and_nothing_after_the_end() {
    let app = TestApp::start(5).await;
    let mut sale = body(&app, -1, 1);
    sale["quantity"] = json!(4);
    plan(&app, &sale).await.ok(201);
    let in_time = queued(&app, "u-1").await;
    end(&app).await;
    buy(&app, "u-2").await.problem(409, "SALE_ENDED");
    app.post("/api/v1/async/purchase", &buy_body("u-2", 1)).await.problem(409, "SALE_ENDED");
    assert_eq!(shown(&app, 1).await["taken"], 0);
    app.work();
    let bought = app.get(&in_time).await.ok(200);
    assert_eq!((&bought["status"], &bought["unitPrice"]), (&"CONFIRMED".into(), &"499.99".into()));
    assert_eq!(shown(&app, 1).await["taken"], 1);
    let page = app.get(&format!("{PATH}?status=ended")).await.ok(200);
    assert_eq!((&page["flashSales"][0]["id"], &page["next"]), (&1.into(), &Value::Null));
    let after = availability(&app).await;
    assert_eq!((&after["flashSalePrice"], &after["isAvailable"]), (&Value::Null, &false.into()));

    let fixed = change(&app, 1, json!({"quantity": 9})).await.problem(409, "SALE_FIXED");
    assert_eq!(fixed["details"]["status"], "ended");
    let past = json!({"endsAt": in_hours(&app, -1).to_string()});
    change(&app, 1, past).await.problem(409, "SALE_FIXED");
    cancel(&app, 1).await.problem(409, "SALE_FIXED");
}

#[tokio::test]
async fn the_start_of_a_sale_is_fixed_once_it_has_begun() {
    let app = TestApp::start(5).await;
    planned(&app, -1, 1).await;
    let later = json!({"startsAt": in_hours(&app, 0).to_string()});
    let fixed = change(&app, 1, later).await.problem(409, "SALE_FIXED");
    assert_eq!(fixed["details"]["status"], "live");
    let past = json!({"endsAt": in_hours(&app, 0).to_string()});
    change(&app, 1, past).await.faults(&["endsAt"]);
}

#[tokio::test]
async fn a_sale_that_is_called_off_refuses_what_is_not_settled() {
    let app = TestApp::start(5).await;
    planned(&app, -1, 1).await;
    buy(&app, "u-1").await.ok(200);
    let late = queued(&app, "u-2").await;
    for _ in 0..2 {
        assert_eq!(cancel(&app, 1).await.ok(200)["status"], "cancelled");
    }
    assert_eq!(shown(&app, 1).await["status"], "cancelled");
    app.work();
    let refused = app.get(&late).await.ok(200);
    assert_eq!(
        (&refused["status"], &refused["reason"]),
        (&"REJECTED".into(), &"SALE_CANCELLED".into())
    );
    assert_eq!(app.available().await, 4);
    change(&app, 1, json!({"quantity": 9})).await.problem(409, "SALE_FIXED");
    // Without a sale to wait for, it is a product like any other.
    assert_eq!(buy(&app, "u-2").await.ok(200)["unitPrice"], "999.99");
}

#[tokio::test]
async fn a_product_that_is_withdrawn_in_mid_sale_is_not_sold() {
    let app = TestApp::start(5).await;
    planned(&app, -1, 1).await;
    let late = queued(&app, "u-1").await;
    app.operate("PATCH", "/api/v1/products/1", &json!({"active": false})).await.ok(200);
    buy(&app, "u-2").await.problem(409, "PRODUCT_INACTIVE");
    assert_eq!(shown(&app, 1).await["status"], "live");
    app.work();
    let refused = app.get(&late).await.ok(200);
    assert_eq!(
        (&refused["status"], &refused["reason"]),
        (&"REJECTED".into(), &"PRODUCT_INACTIVE".into())
    );
    app.operate("PATCH", "/api/v1/products/1", &json!({"active": true})).await.ok(200);
    assert_eq!(buy(&app, "u-2").await.ok(200)["unitPrice"], "499.99");
}
