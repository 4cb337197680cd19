//! Planning sales, and reading them.

use serde_json::{Value, json};
use shared::adapters::family;
use shared::domain::Timestamp;

use crate::support::{Answer, Switches, TestApp, turn};

pub(crate) const PATH: &str = "/api/v1/flash-sales";

/// The moment so many hours from now.
pub(crate) fn in_hours(app: &TestApp, hours: i64) -> Timestamp {
    app.ports.clock.now().plus_millis(hours * 3_600_000)
}

/// A sale of product 1 at half its price, between so many hours from now.
pub(crate) fn body(app: &TestApp, from: i64, to: i64) -> Value {
    json!({
        "productId": 1, "flashPrice": "499.99",
        "startsAt": in_hours(app, from).to_string(), "endsAt": in_hours(app, to).to_string(),
    })
}

/// Plans it.
pub(crate) async fn planned(app: &TestApp, from: i64, to: i64) -> Value {
    plan(app, &body(app, from, to)).await.ok(201)
}

pub(crate) async fn plan(app: &TestApp, body: &Value) -> Answer {
    app.operate("POST", PATH, body).await
}

pub(crate) async fn change(app: &TestApp, id: i64, change: Value) -> Answer {
    app.operate("PATCH", &format!("{PATH}/{id}"), &change).await
}

pub(crate) async fn cancel(app: &TestApp, id: i64) -> Answer {
    app.operate("POST", &format!("{PATH}/{id}/cancel"), &json!({})).await
}

pub(crate) async fn shown(app: &TestApp, id: i64) -> Value {
    app.get(&format!("{PATH}/{id}")).await.ok(200)
}

/// A sale without the moment at which it was shown.
fn undated(mut sale: Value) -> Value {
    let at = sale.as_object_mut().unwrap().remove("serverTime").unwrap();
    assert!(at.as_str().unwrap().ends_with('Z'));
    sale
}

#[tokio::test]
async fn a_sale_is_shown_as_it_was_planned() {
    let app = TestApp::start(5).await;
    let (starts_at, ends_at) = (in_hours(&app, 1), in_hours(&app, 2));
    let sale = json!({
        "sku": "SKU-1", "flashPrice": "749.9", "quantity": 3, "perUserLimit": 2,
        "holdSeconds": 60, "waitingRoom": {"size": 9}, "colour": "red",
        "startsAt": starts_at.to_string().replace('Z', "+00:00"), "endsAt": ends_at.to_string(),
    });
    let answer = plan(&app, &sale).await;
    assert_eq!(answer.header("location"), "/api/v1/flash-sales/1");
    let expected = json!({
        "id": 1, "flashSaleId": 1, "productId": 1, "sku": "SKU-1", "name": "Product SKU-1",
        "flashPrice": "749.90", "basePrice": "999.99", "discountPercentage": 25.0,
        "currency": "USD", "quantity": 3, "taken": 0, "remaining": 3,
        "startsAt": starts_at.to_string(), "endsAt": ends_at.to_string(), "status": "upcoming",
        "perUserLimit": 2, "holdSeconds": 60, "waitingRoom": {
            "admitPerSecond": 100, "maxInside": 1000, "passSeconds": 120, "patienceSeconds": 45,
            "preQueueSeconds": 0,
        },
    });
    assert_eq!(undated(answer.ok(201)), expected);
    assert_eq!(undated(shown(&app, 1).await), expected);
    let plain = undated(planned(&app, 3, 4).await);
    for none in ["quantity", "taken", "remaining", "perUserLimit", "holdSeconds", "waitingRoom"] {
        assert_eq!(plain[none], Value::Null, "{none}");
    }
}

#[tokio::test]
async fn offsets_are_read_and_answered_in_utc() {
    let app = TestApp::start(5).await;
    let mut sale = body(&app, 1, 2);
    sale["startsAt"] = json!("2090-05-01T14:00:00.1234+02:00");
    sale["endsAt"] = json!("2090-05-01T12:00:00Z");
    plan(&app, &sale).await.faults(&["endsAt"]);
    sale["endsAt"] = json!("2090-05-01T07:00:01-05:00");
    let sale = plan(&app, &sale).await.ok(201);
    assert_eq!(sale["startsAt"], "2090-05-01T12:00:00.123Z");
    assert_eq!(sale["endsAt"], "2090-05-01T12:00:01.000Z");
}

#[tokio::test]
async fn sales_are_listed_by_status_in_pages() {
    let app = TestApp::start(5).await;
    let list = async |query: &str| {
        let page = app.get(&format!("{PATH}{query}")).await.ok(200);
        let sales = page["flashSales"].as_array().unwrap().iter();
        (sales.map(|sale| sale["id"].as_i64().unwrap()).collect::<Vec<_>>(), page["next"].as_i64())
    };
    assert_eq!(list("").await, (vec![], None));
    for (from, to) in [(-1, 1), (2, 3), (4, 5), (6, 7)] {
        planned(&app, from, to).await;
    }
    cancel(&app, 2).await.ok(200);
    assert_eq!(list("").await, (vec![1, 2, 3, 4], None));
    assert_eq!(list("?limit=3").await, (vec![1, 2, 3], Some(3)));
    assert_eq!(list("?limit=3&after=3").await, (vec![4], None));
    assert_eq!(list("?status=live").await, (vec![1], None));
    assert_eq!(list("?status=upcoming").await, (vec![3, 4], None));
    assert_eq!(list("?status=upcoming&limit=1").await, (vec![3], Some(3)));
    assert_eq!(list("?status=upcoming&limit=1&after=3").await, (vec![4], None));
    assert_eq!(list("?status=cancelled").await, (vec![2], None));
    assert_eq!(list("?status=ended").await, (vec![], None));
    let wrong = app.get(&format!("{PATH}?status=LIVE&limit=0&after=x")).await;
    wrong.faults(&["status", "limit", "after"]);
}

#[tokio::test]
async fn what_the_board_knows_is_shown_without_the_ledger() {
    let switches = Switches::default();
    let app = TestApp::over(switches.before(family::embedded()), 5, |_| {}).await;
    planned(&app, -1, 1).await;
    planned(&app, 2, 3).await;
    turn(&switches.ledger_away);
    assert_eq!(shown(&app, 1).await["status"], "live");
    assert_eq!(shown(&app, 2).await["status"], "upcoming");
    for status in ["live", "upcoming"] {
        let page = app.get(&format!("{PATH}?status={status}")).await.ok(200);
        assert_eq!(page["flashSales"][0]["status"], status);
    }
    app.get(&format!("{PATH}?status=ended")).await.problem(503, "UNAVAILABLE");
    app.get(&format!("{PATH}/3")).await.problem(503, "UNAVAILABLE");
}

#[tokio::test]
async fn every_fault_of_a_sale_is_listed() {
    let app = TestApp::start(5).await;
    let required = ["productId", "flashPrice", "startsAt", "endsAt"];
    plan(&app, &json!({})).await.faults(&required);
    let with = |field: &str, value: Value| {
        let mut sale = body(&app, 1, 2);
        sale[field] = value;
        sale
    };
    let cases = [
        ("flashPrice", json!("-1.00")),
        ("flashPrice", json!(1)),
        ("flashPrice", json!("1.001")),
        ("startsAt", Value::Null),
        ("startsAt", json!("2030-01-01")),
        ("startsAt", json!(1_900_000_000)),
        ("endsAt", json!(in_hours(&app, 0).to_string())),
        ("endsAt", json!("2030-13-01T00:00:00Z")),
        ("quantity", json!(0)),
        ("quantity", json!("5")),
        ("perUserLimit", json!(0)),
        ("holdSeconds", json!(0)),
        ("holdSeconds", json!(86_401)),
        ("waitingRoom", json!("yes")),
        ("productId", json!("1")),
    ];
    for (field, value) in cases {
        plan(&app, &with(field, value)).await.faults(&[field]);
    }
    plan(&app, &with("sku", json!("SKU-1"))).await.faults(&["productId"]);
    plan(&app, &with("productId", json!(9))).await.problem(404, "PRODUCT_NOT_FOUND");
    planned(&app, 1, 2).await;
    change(&app, 1, json!({})).await.faults(&["body"]);
    change(&app, 1, json!({"flashPrice": null, "quantity": 0, "endsAt": "x"})).await.faults(&[
        "flashPrice",
        "endsAt",
        "quantity",
    ]);
    // Only the ledger knows the other end.
    change(&app, 1, json!({"startsAt": in_hours(&app, 3).to_string()})).await.faults(&["endsAt"]);
    app.operate("POST", PATH, &json!([])).await.faults(&["body"]);
    for id in ["0", "-1", "x", "99999999999999999999"] {
        app.get(&format!("{PATH}/{id}")).await.faults(&["id"]);
    }
    assert_eq!(app.get(PATH).await.ok(200)["flashSales"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_sale_that_is_not_there_is_not_found() {
    let app = TestApp::start(5).await;
    for id in [1, i64::MAX] {
        app.get(&format!("{PATH}/{id}")).await.problem(404, "SALE_NOT_FOUND");
        change(&app, id, json!({"quantity": 1})).await.problem(404, "SALE_NOT_FOUND");
        cancel(&app, id).await.problem(404, "SALE_NOT_FOUND");
    }
}

#[tokio::test]
async fn only_operators_plan_sales() {
    let app = TestApp::start(5).await;
    for (method, path) in [
        ("POST", "/api/v1/flash-sales"),
        ("PATCH", "/api/v1/flash-sales/1"),
        ("POST", "/api/v1/flash-sales/1/cancel"),
    ] {
        let answer = app.send(method, path, &[("x-api-key", "wrong")], "not json").await;
        answer.problem(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn sales_of_a_product_do_not_overlap() {
    let app = TestApp::start(5).await;
    let sale = planned(&app, 1, 3).await;
    let other = body(&app, 2, 4);
    let problem = plan(&app, &other).await.problem(409, "SALE_OVERLAP");
    assert_eq!(problem["details"]["saleId"], sale["id"]);
    let mut next = other.clone();
    next["startsAt"] = sale["endsAt"].clone();
    plan(&app, &next).await.ok(201);
    let longer = json!({"endsAt": in_hours(&app, 4).to_string()});
    change(&app, 1, longer).await.problem(409, "SALE_OVERLAP");
    cancel(&app, 1).await.ok(200);
    cancel(&app, 2).await.ok(200);
    plan(&app, &other).await.ok(201);
}
