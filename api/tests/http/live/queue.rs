//! Places in line, by SSE and by WebSocket.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use shared::adapters::family;
use shared::config::AuthMode;
use shared::domain::Role;
use shared::testing::eventually;

use crate::sales::{body, cancel, change, plan};
use crate::support::{Events, Socket, Switches, TestApp, buy_body, turn};

/// Product 1 in an open sale in which one shopper at a time is let in.
async fn one_by_one() -> TestApp {
    let app = TestApp::start(9).await;
    one_by_one_in(&app).await;
    app
}

async fn one_by_one_in(app: &TestApp) {
    let mut sale = body(app, -1, 1);
    sale["waitingRoom"] = json!({"maxInside": 1});
    plan(app, &sale).await.ok(201);
}

async fn join(app: &TestApp, user: &str) -> String {
    let wish = json!({"flashSaleId": 1, "userId": user});
    let answer = eventually("the line can be joined", async || {
        let answer = app.post("/api/v1/queue/join", &wish).await;
        (answer.status != 503).then_some(answer)
    });
    answer.await.ok(200)["ticket"].as_str().unwrap().to_owned()
}

async fn leave(app: &TestApp, ticket: &str) {
    let headers = [("x-queue-ticket", ticket)];
    app.send("DELETE", "/api/v1/queue/leave", &headers, "").await.ok(200);
}

async fn events(app: &TestApp, ticket: &str) -> Events {
    app.events(&format!("/api/v1/queue/events?ticket={ticket}"), &[]).await
}

/// The next event with this status.
async fn until(events: &mut Events, status: &str) -> Value {
    loop {
        let event = events.next().await.expect(status);
        assert_eq!(event.name, "position");
        if event.data["status"] == status {
            return event.data;
        }
    }
}

#[tokio::test]
async fn whoever_waits_is_told_whenever_the_line_moves() {
    let app = one_by_one().await;
    let (ann, bob, cid) =
        (join(&app, "ann").await, join(&app, "bob").await, join(&app, "cid").await);
    until(&mut events(&app, &ann).await, "ADMITTED").await;
    let mut watching = events(&app, &cid).await;
    assert_eq!(until(&mut watching, "WAITING").await["position"], 2);
    leave(&app, &ann).await;
    assert_eq!(until(&mut watching, "WAITING").await["position"], 1);
    leave(&app, &bob).await;
    let admitted = until(&mut watching, "ADMITTED").await;
    let pass = admitted["pass"].as_str().unwrap();
    let body = json!({"productId": 1, "quantity": 1, "userId": "cid"});
    app.post_with("/api/v1/sync/purchase", &[("x-queue-pass", pass)], &body).await.ok(200);
}

#[tokio::test]
async fn the_end_of_the_sale_ends_the_stream_for_good() {
    let app = one_by_one().await;
    let (ann, bob) = (join(&app, "ann").await, join(&app, "bob").await);
    until(&mut events(&app, &ann).await, "ADMITTED").await;
    let mut watching = events(&app, &bob).await;
    until(&mut watching, "WAITING").await;
    cancel(&app, 1).await.ok(200);
    let event = loop {
        let event = watching.next().await.unwrap();
        if event.data["status"] == "CANCELLED" {
            break event;
        }
    };
    assert!(watching.next().await.is_none(), "nothing more will come");
    let path = format!("/api/v1/queue/events?ticket={bob}");
    let again = app.get_with(&path, &[("last-event-id", &event.id)]).await;
    assert_eq!(again.status, 204, "an EventSource stops");
}

#[tokio::test]
async fn sold_out_and_the_end_are_told_at_once() {
    let app = TestApp::start(1).await;
    one_by_one_in(&app).await;
    let (ann, bob) = (join(&app, "ann").await, join(&app, "bob").await);
    let admitted = until(&mut events(&app, &ann).await, "ADMITTED").await;
    let mut watching = events(&app, &bob).await;
    until(&mut watching, "WAITING").await;
    let pass = [("x-queue-pass", admitted["pass"].as_str().unwrap())];
    app.post_with("/api/v1/sync/purchase", &pass, &buy_body("ann", 1)).await.ok(200);
    until(&mut watching, "SOLD_OUT").await;
    let soon = Utc::now() + TimeDelta::seconds(1);
    change(&app, 1, json!({"endsAt": soon.to_rfc3339()})).await.ok(200);
    until(&mut watching, "ENDED").await;
}

#[tokio::test]
async fn without_redis_those_who_wait_are_told_the_end_all_the_same() {
    let switches = Switches::default();
    let app = TestApp::over(switches.before(family::embedded()), 9, |_| {}).await;
    one_by_one_in(&app).await;
    let (ann, bob) = (join(&app, "ann").await, join(&app, "bob").await);
    until(&mut events(&app, &ann).await, "ADMITTED").await;
    let mut watching = events(&app, &bob).await;
    until(&mut watching, "WAITING").await;
    let mut inside = events(&app, &ann).await;
    until(&mut inside, "ADMITTED").await;
    turn(&switches.redis_away);
    cancel(&app, 1).await.ok(200);
    until(&mut watching, "CANCELLED").await;
    until(&mut inside, "CANCELLED").await;
}

#[tokio::test]
async fn those_who_wait_are_told_when_there_is_no_line_any_more() {
    let app = one_by_one().await;
    let (ann, bob) = (join(&app, "ann").await, join(&app, "bob").await);
    until(&mut events(&app, &ann).await, "ADMITTED").await;
    let mut watching = events(&app, &bob).await;
    until(&mut watching, "WAITING").await;
    change(&app, 1, json!({"waitingRoom": null})).await.ok(200);
    until(&mut watching, "LIFTED").await;
    assert!(watching.next().await.is_none(), "nothing more will come");
    for path in ["position", "events"] {
        let path = format!("/api/v1/queue/{path}?ticket={bob}");
        app.get(&path).await.problem(404, "NO_WAITING_ROOM");
    }
    let path = format!("/api/v1/queue/events?ticket={bob}");
    assert_eq!(app.get_with(&path, &[("last-event-id", "over")]).await.status, 204);
    leave(&app, &bob).await;
    app.post("/api/v1/sync/purchase", &buy_body("bob", 1)).await.ok(200);
}

async fn position(socket: &mut Socket, status: &str) -> Value {
    loop {
        let message = socket.hear_of("queue:position-update").await;
        if message["data"]["status"] == status {
            return message;
        }
    }
}

#[tokio::test]
async fn a_socket_joins_waits_and_leaves() {
    let app = one_by_one().await;
    let ann = join(&app, "ann").await;
    until(&mut events(&app, &ann).await, "ADMITTED").await;
    let mut socket = app.socket(&[]).await;
    socket.ask("queue:join", json!({"productId": 1, "userId": "bob"}), "a").await;
    let first = position(&mut socket, "WAITING").await;
    assert_eq!((&first["id"], &first["data"]["position"]), (&"a".into(), &1.into()));
    // Another connection comes back to the same place by its ticket.
    let mut other = app.socket(&[]).await;
    other.ask("queue:join", json!({"ticket": first["data"]["ticket"]}), "b").await;
    assert_eq!(position(&mut other, "WAITING").await["id"], "b");
    leave(&app, &ann).await;
    position(&mut other, "ADMITTED").await;
    position(&mut socket, "ADMITTED").await;
    socket.ask("queue:leave", json!({"flashSaleId": 1, "userId": "bob"}), "c").await;
    let left = position(&mut socket, "LEFT").await;
    assert_eq!((&left["id"], &left["data"]["userId"]), (&"c".into(), &"bob".into()));
}

#[tokio::test]
async fn a_socket_is_told_what_is_wrong_with_a_place() {
    let app = TestApp::start(9).await;
    let mut socket = app.socket(&[]).await;
    let mut code = async |data: Value| {
        socket.ask("queue:join", data, "a").await;
        socket.hear_of("error").await["data"]["code"].clone()
    };
    assert_eq!(code(json!({"flashSaleId": 7, "userId": "ann"})).await, "SALE_NOT_FOUND");
    plan(&app, &body(&app, -1, 1)).await.ok(201);
    assert_eq!(code(json!({"flashSaleId": 1, "userId": "ann"})).await, "NO_WAITING_ROOM");
    assert_eq!(code(json!({"flashSaleId": 1})).await, "INVALID_REQUEST");
    assert_eq!(code(json!({"ticket": "nonsense"})).await, "INVALID_REQUEST");
}

#[tokio::test]
async fn with_tokens_nobody_stands_in_line_for_others() {
    let app = TestApp::with(9, |config| config.auth.mode = AuthMode::Jwt).await;
    one_by_one_in(&app).await;
    let ann = format!("Bearer {}", app.token("ann", Role::Customer).await);
    let mut stranger = app.socket(&[]).await;
    stranger.ask("queue:join", json!({"flashSaleId": 1, "userId": "ann"}), "a").await;
    assert_eq!(stranger.hear_of("error").await["data"]["code"], "UNAUTHENTICATED");
    let by_name = "/api/v1/queue/events?flashSaleId=1&userId=ann";
    app.get(by_name).await.problem(401, "UNAUTHENTICATED");

    let mut own = app.socket(&[("authorization", &ann)]).await;
    own.ask("queue:join", json!({"flashSaleId": 1, "userId": "bob"}), "a").await;
    assert_eq!(own.hear_of("error").await["data"]["code"], "FORBIDDEN");
    own.ask("queue:join", json!({"flashSaleId": 1}), "b").await;
    let place = own.hear_of("queue:position-update").await;
    assert_eq!(place["data"]["userId"], "ann");
    // The ticket is the credential of a page that cannot send another.
    let ticket = place["data"]["ticket"].as_str().unwrap();
    until(&mut events(&app, ticket).await, "ADMITTED").await;
}
