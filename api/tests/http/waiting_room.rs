//! Waiting in line, being let in, buying with the pass.

use serde_json::{Value, json};
use shared::config::AuthMode;
use shared::domain::Role;
use shared::testing::eventually;

use crate::sales::{body, change, plan};
use crate::support::{Answer, TestApp, buy_body};

const SYNC: &str = "/api/v1/sync/purchase";
const POSITION: &str = "/api/v1/queue/position";

/// Product 1 in a sale that is open, with a waiting room.
async fn with_room(app: &TestApp, room: Value) -> Value {
    let mut sale = body(app, -1, 1);
    sale["waitingRoom"] = room;
    plan(app, &sale).await.ok(201)
}

async fn started(units: i64, room: Value) -> TestApp {
    let app = TestApp::start(units).await;
    with_room(&app, room).await;
    app
}

async fn join(app: &TestApp, user: &str) -> Value {
    join_sale(app, 1, user).await
}

async fn join_sale(app: &TestApp, sale: i64, user: &str) -> Value {
    let wish = json!({"flashSaleId": sale, "userId": user});
    eventually("the line can be joined", async || {
        let answer = app.post("/api/v1/queue/join", &wish).await;
        (answer.status != 503).then_some(answer)
    })
    .await
    .ok(200)
}

async fn position(app: &TestApp, ticket: &str) -> Answer {
    app.get_with(POSITION, &[("x-queue-ticket", ticket)]).await
}

/// Waits until the owner of a ticket has this status.
async fn until(app: &TestApp, ticket: &Value, status: &str) -> Value {
    let ticket = ticket["ticket"].as_str().unwrap();
    eventually(status, async || {
        let place = position(app, ticket).await.ok(200);
        (place["status"] == status).then_some(place)
    })
    .await
}

async fn pass(app: &TestApp, user: &str) -> String {
    let ticket = join(app, user).await;
    until(app, &ticket, "ADMITTED").await["pass"].as_str().unwrap().to_owned()
}

async fn buy_with(app: &TestApp, path: &str, user: &str, pass: &str) -> Answer {
    app.post_with(path, &[("x-queue-pass", pass)], &buy_body(user, 1)).await
}

#[tokio::test]
async fn only_those_who_were_let_in_buy_and_only_once() {
    let app = started(5, json!({})).await;
    for path in [SYNC, "/api/v1/async/purchase", "/api/v1/reservations", "/api/v1/orders"] {
        let refused = app.post(path, &buy_body("ann", 1)).await.problem(403, "PASS_REQUIRED");
        assert_eq!(refused["details"]["flashSaleId"], 1, "{path}");
    }
    app.post("/api/buy/1", &json!({"userId": "ann"})).await.problem(403, "PASS_REQUIRED");
    let pass = pass(&app, "ann").await;
    assert_eq!(buy_with(&app, SYNC, "ann", &pass).await.ok(200)["status"], "CONFIRMED");
    buy_with(&app, SYNC, "ann", &pass).await.problem(409, "ALREADY_PURCHASED");
    assert_eq!(app.available().await, 4);
}

#[tokio::test]
async fn a_refused_purchase_does_not_use_the_pass_up() {
    let app = started(5, json!({"passSeconds": 60})).await;
    let pass = pass(&app, "ann").await;
    let two = app.post_with(SYNC, &[("x-queue-pass", &pass)], &buy_body("ann", 2)).await;
    two.problem(409, "LIMIT_REACHED");
    buy_with(&app, SYNC, "ann", &pass).await.ok(200);
}

#[tokio::test]
async fn a_hold_is_paid_without_standing_in_line_again() {
    let app = started(5, json!({})).await;
    let pass = pass(&app, "ann").await;
    let held = buy_with(&app, "/api/v1/reservations", "ann", &pass).await.ok(201);
    buy_with(&app, "/api/v1/reservations", "ann", &pass).await.problem(409, "ALREADY_RESERVED");
    let pay = json!({"reservationId": held["reservationId"], "paymentTransactionId": "t-1"});
    app.post("/api/v1/orders/checkout", &pay).await.ok(201);
}

#[tokio::test]
async fn a_pass_is_its_owners_for_its_sale_and_its_time() {
    let app = started(5, json!({"passSeconds": 2})).await;
    let ann = pass(&app, "ann").await;
    buy_with(&app, SYNC, "bob", &ann).await.problem(403, "PASS_REQUIRED");
    let mut forged = ann.clone().into_bytes();
    let last = forged.last_mut().unwrap();
    *last = if *last == b'A' { b'Q' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for wrong in [forged.as_str(), "", "nonsense"] {
        buy_with(&app, SYNC, "ann", wrong).await.problem(403, "PASS_REQUIRED");
    }
    // A ticket is no pass.
    let ticket = join(&app, "cid").await;
    let ticket = ticket["ticket"].as_str().unwrap();
    buy_with(&app, SYNC, "cid", ticket).await.problem(403, "PASS_REQUIRED");
    let waited = eventually("the pass runs out", async || {
        let answer = buy_with(&app, SYNC, "ann", &ann).await;
        (answer.json()["code"] == "PASS_EXPIRED").then_some(answer)
    });
    waited.await.problem(403, "PASS_EXPIRED");
}

#[tokio::test]
async fn a_ticket_of_another_sale_opens_nothing() {
    let app = started(5, json!({"patienceSeconds": 60})).await;
    let ann = pass(&app, "ann").await;
    app.operate("POST", "/api/v1/flash-sales/1/cancel", &Value::Null).await.ok(200);
    with_room(&app, json!({})).await;
    buy_with(&app, SYNC, "ann", &ann).await.problem(403, "PASS_REQUIRED");
    let bob = join_sale(&app, 2, "bob").await;
    for (sale, status) in [(2, 200), (1, 404)] {
        let path = format!("/api/v1/flash-sales/{sale}/queue-position");
        let ticket = [("x-queue-ticket", bob["ticket"].as_str().unwrap())];
        assert_eq!(app.get_with(&path, &ticket).await.status, status, "sale {sale}");
    }
}

#[tokio::test]
async fn who_is_silent_loses_the_place_inside_and_who_is_connected_does_not() {
    let app = started(9, json!({"maxInside": 1, "patienceSeconds": 5})).await;
    let ann = join(&app, "ann").await;
    until(&app, &ann, "ADMITTED").await;
    let bob = join(&app, "bob").await;
    let path = format!("/api/v1/queue/events?ticket={}", bob["ticket"].as_str().unwrap());
    let mut watching = app.events(&path, &[]).await;
    // Ann says nothing more, and Bob nothing at all: he is there by being connected.
    while watching.next().await.unwrap().data["status"] != "ADMITTED" {}
    let cid = join(&app, "cid").await;
    let stays = until(&app, &cid, "WAITING").await;
    assert_eq!(stays["position"], 1, "Bob is inside");
}

#[tokio::test]
async fn a_place_is_kept_and_shown_and_given_up() {
    let app = started(9, json!({"admitPerSecond": 1, "maxInside": 1})).await;
    let ann = join(&app, "ann").await;
    until(&app, &ann, "ADMITTED").await;
    let bob = join(&app, "bob").await;
    let cid = join(&app, "cid").await;
    assert_eq!((&bob["status"], &bob["position"]), (&"WAITING".into(), &1.into()));
    assert_eq!(
        (&cid["status"], &cid["position"], &cid["ahead"]),
        (&"WAITING".into(), &2.into(), &1.into())
    );
    assert_eq!(join(&app, "bob").await["position"], 1, "joining again wins and loses nothing");
    // Without the ticket, by name.
    let by_name = app.get("/api/v1/queue/position?flashSaleId=1&userId=cid").await.ok(200);
    assert_eq!(by_name["position"], 2);
    let in_sale = app.get("/api/v1/flash-sales/1/queue-position?userId=cid").await.ok(200);
    assert_eq!(in_sale["position"], 2);
    let headers = [("x-queue-ticket", bob["ticket"].as_str().unwrap())];
    let left = app.send("DELETE", "/api/v1/queue/leave", &headers, "").await.ok(200);
    assert_eq!((&left["status"], &left["userId"]), (&"LEFT".into(), &"bob".into()));
    let headers = [("x-queue-ticket", ann["ticket"].as_str().unwrap())];
    app.send("DELETE", "/api/v1/queue/leave", &headers, "").await.ok(200);
    until(&app, &cid, "ADMITTED").await;
    until(&app, &bob, "MISSED").await;
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let app = TestApp::start(5).await;
    let join = async |body: Value| app.post("/api/v1/queue/join", &body).await;
    join(json!({"flashSaleId": 1, "userId": "ann"})).await.problem(404, "SALE_NOT_FOUND");
    join(json!({"productId": 1, "userId": "ann"})).await.problem(404, "SALE_NOT_FOUND");
    plan(&app, &body(&app, -1, 1)).await.ok(201);
    join(json!({"productId": 1, "userId": "ann"})).await.problem(404, "NO_WAITING_ROOM");
    join(json!({"flashSaleId": 1})).await.faults(&["userId"]);
    join(json!({"userId": "ann"})).await.faults(&["flashSaleId"]);
    app.get(POSITION).await.faults(&["userId", "flashSaleId"]);
    position(&app, "nonsense").await.faults(&["ticket"]);
    let path = "/api/v1/queue/position?flashSaleId=1&userId=ann";
    app.get(path).await.problem(404, "NO_WAITING_ROOM");
    let wrong = json!({"waitingRoom": {"admitPerSecond": 0, "passSeconds": "2"}});
    change(&app, 1, wrong).await.faults(&["waitingRoom.admitPerSecond", "waitingRoom.passSeconds"]);
    change(&app, 1, json!({"waitingRoom": {"enabled": true}})).await.ok(200);
    app.get(path).await.problem(404, "NOT_IN_QUEUE");
}

#[tokio::test]
async fn a_room_is_planned_changed_and_taken_away() {
    let app = TestApp::start(5).await;
    let planned = with_room(&app, json!({"admitPerSecond": 7, "colour": "red"})).await;
    assert_eq!(planned["waitingRoom"]["admitPerSecond"], 7);
    assert_eq!(planned["perUserLimit"], 1, "a place in line is for one");
    change(&app, 1, json!({"perUserLimit": null})).await.faults(&["perUserLimit"]);
    let changed = change(&app, 1, json!({"waitingRoom": {"passSeconds": 9}})).await.ok(200);
    assert_eq!(changed["waitingRoom"]["passSeconds"], 9);
    assert_eq!(changed["waitingRoom"]["admitPerSecond"], 100, "a room is given whole");
    let without = change(&app, 1, json!({"waitingRoom": {"enabled": false}})).await.ok(200);
    assert_eq!(without["waitingRoom"], Value::Null);
    app.post(SYNC, &buy_body("ann", 1)).await.ok(200);
}

#[tokio::test]
async fn everybody_who_waits_learns_of_the_end() {
    let app = started(1, json!({"maxInside": 1})).await;
    let ann = pass(&app, "ann").await;
    let bob = join(&app, "bob").await;
    buy_with(&app, SYNC, "ann", &ann).await.ok(200);
    until(&app, &bob, "SOLD_OUT").await;
    app.operate("POST", "/api/v1/flash-sales/1/cancel", &Value::Null).await.ok(200);
    until(&app, &bob, "CANCELLED").await;
    let wish = json!({"flashSaleId": 1, "userId": "cid"});
    app.post("/api/v1/queue/join", &wish).await.problem(409, "SALE_CANCELLED");
}

#[tokio::test]
async fn a_retry_with_its_key_needs_no_pass_any_more() {
    let app = started(5, json!({})).await;
    let pass = pass(&app, "ann").await;
    let key = ("idempotency-key", "k-1");
    let body = buy_body("ann", 1);
    let sold = app.post_with(SYNC, &[key, ("x-queue-pass", &pass)], &body).await.ok(200);
    let again = app.post_with(SYNC, &[key], &body).await.ok(200);
    assert_eq!(again["orderId"], sold["orderId"]);
}

#[tokio::test]
async fn with_tokens_a_ticket_is_its_owners() {
    let app = TestApp::with(5, |config| config.auth.mode = AuthMode::Jwt).await;
    with_room(&app, json!({})).await;
    let ann = app.token("ann", Role::Customer).await;
    let bob = app.token("bob", Role::Customer).await;
    let wish = json!({"flashSaleId": 1});
    app.post("/api/v1/queue/join", &wish).await.problem(401, "UNAUTHENTICATED");
    let joined = eventually("the line can be joined", async || {
        let answer = app.as_user(&ann, "POST", "/api/v1/queue/join", &wish).await;
        (answer.status != 503).then_some(answer)
    })
    .await
    .ok(200);
    assert_eq!(joined["userId"], "ann");
    let path = format!("{POSITION}?ticket={}", joined["ticket"].as_str().unwrap());
    app.as_user(&ann, "GET", &path, &Value::Null).await.ok(200);
    app.as_user(&bob, "GET", &path, &Value::Null).await.problem(404, "NOT_IN_QUEUE");
    let named = json!({"flashSaleId": 1, "userId": "ann"});
    app.as_user(&bob, "POST", "/api/v1/queue/join", &named).await.problem(403, "FORBIDDEN");
}
