//! `GET /api/v1/purchases/{trackingId}/events`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use shared::adapters::family;
use shared::config::AuthMode;
use shared::domain::Role;
use shared::domain::testing::id;
use shared::testing::eventually;

use crate::support::{Switches, TestApp, buy_body, turn};

async fn accept(app: &TestApp, user: &str) -> String {
    let accepted = app.post("/api/v1/async/purchase", &buy_body(user, 1)).await.ok(202);
    accepted["links"]["events"].as_str().unwrap().to_owned()
}

async fn hold(app: &TestApp) -> String {
    let held = app.post("/api/v1/reservations", &buy_body("u-1", 1)).await.ok(201);
    held["reservationId"].as_str().unwrap().to_owned()
}

fn said(id: &str, word: &str) -> (String, Value) {
    (id.to_owned(), word.into())
}

#[tokio::test]
async fn a_purchase_is_told_now_and_at_its_end_and_then_the_stream_ends() {
    let app = TestApp::start(1).await;
    let (first, second) = (accept(&app, "u-1").await, accept(&app, "u-2").await);
    let (mut sold, mut refused) = (app.events(&first, &[]).await, app.events(&second, &[]).await);
    assert_eq!(sold.tells("status").await, said("0", "QUEUED"));
    assert_eq!(refused.tells("status").await, said("0", "QUEUED"));
    app.work();
    let event = sold.next().await.unwrap();
    assert_eq!((event.name.as_str(), event.id.as_str()), ("status", "1"));
    // The same as whoever asks is shown.
    let shown = app.get(first.strip_suffix("/events").unwrap()).await.ok(200);
    assert_eq!((&event.data, &event.data["status"]), (&shown, &"CONFIRMED".into()));
    assert!(sold.next().await.is_none());
    assert_eq!(refused.tells("reason").await, said("1", "OUT_OF_STOCK"));
    assert!(refused.next().await.is_none());
}

#[tokio::test]
async fn every_change_of_a_hold_is_told() {
    let app = TestApp::start(1).await;
    let id = hold(&app).await;
    let mut events = app.events(&format!("/api/v1/purchases/{id}/events"), &[]).await;
    assert_eq!(events.tells("status").await, said("1", "RESERVED"));
    app.send("DELETE", &format!("/api/v1/reservations/{id}"), &[], "").await.ok(200);
    assert_eq!(events.tells("status").await, said("2", "CANCELLED"));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_comes_back_hears_only_what_it_does_not_have() {
    let app = TestApp::start(1).await;
    let id = hold(&app).await;
    let path = format!("/api/v1/purchases/{id}/events");
    let mut events = app.events(&path, &[("last-event-id", "1")]).await;
    app.send("DELETE", &format!("/api/v1/reservations/{id}"), &[], "").await.ok(200);
    assert_eq!(events.tells("status").await, said("2", "CANCELLED"));
    assert!(events.next().await.is_none());
    // 204: an EventSource does not come back a third time.
    assert_eq!(app.get_with(&path, &[("last-event-id", "2")]).await.status, 204);
    for old in ["1", "0", "", "x", "-7"] {
        let mut events = app.events(&path, &[("last-event-id", old)]).await;
        assert_eq!(events.tells("status").await, said("2", "CANCELLED"), "{old}");
        assert!(events.next().await.is_none());
    }
}

#[tokio::test]
async fn what_was_never_issued_has_no_stream() {
    let app = TestApp::start(1).await;
    let never = app.get(&format!("/api/v1/purchases/{}/events", id(7))).await;
    never.problem(404, "PURCHASE_NOT_FOUND");
    app.get("/api/v1/purchases/x/events").await.faults(&["trackingId"]);
}

#[tokio::test]
async fn a_replay_is_told_as_its_original() {
    let app = TestApp::start(5).await;
    app.work();
    let key = [("idempotency-key", "k-1")];
    let body = buy_body("u-1", 1);
    let sold = app.post_with("/api/v1/sync/purchase", &key, &body).await.ok(200);
    // The same key once more, past a map that forgot it.
    let forgetful =
        shared::ports::Ports { idempotency: family::embedded().idempotency, ..app.ports.clone() };
    let other = TestApp::bare(forgetful, |_| {}).await;
    eventually("the other instance is ready", async || {
        (other.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    let again = other.post_with("/api/v1/async/purchase", &key, &body).await.ok(202);
    let path = again["links"]["events"].as_str().unwrap();
    let mut events = other.events(path, &[]).await;
    let mut last = events.next().await.unwrap();
    if last.data["status"] == "QUEUED" {
        last = events.next().await.unwrap();
    }
    assert_eq!((last.id.as_str(), &last.data["replayOf"]), ("r1", &sold["orderId"]));
    assert!(events.next().await.is_none());
    assert_eq!(other.get_with(path, &[("last-event-id", "r1")]).await.status, 204);
}

#[tokio::test]
async fn while_the_ledger_is_away_the_stream_goes_on() {
    let switches = Switches::default();
    let app = TestApp::over(switches.before(family::embedded()), 1, |_| {}).await;
    let path = accept(&app, "u-1").await;
    let mut events = app.events(&path, &[]).await;
    assert_eq!(events.tells("status").await, said("0", "QUEUED"));
    turn(&switches.ledger_away);
    let looks = switches.looks.load(Ordering::SeqCst);
    app.get(&path).await.problem(503, "UNAVAILABLE");
    eventually("the stream has looked in vain", async || {
        (switches.looks.load(Ordering::SeqCst) > looks + 1).then_some(())
    })
    .await;
    switches.ledger_away.store(false, Ordering::SeqCst);
    app.work();
    assert_eq!(events.tells("status").await, said("1", "CONFIRMED"));
}

#[tokio::test]
async fn a_stream_that_has_nothing_to_say_says_so() {
    let app = TestApp::with(1, |config| config.live.heartbeat = Duration::from_millis(20)).await;
    let mut events = app.events(&accept(&app, "u-1").await, &[]).await;
    assert_eq!(events.tells("status").await, said("0", "QUEUED"));
    for _ in 0..3 {
        assert_eq!(events.block().await.as_deref(), Some(":"));
    }
}

#[tokio::test]
async fn strangers_are_not_told_who_buys() {
    let app = TestApp::with(1, |config| config.auth.mode = AuthMode::Jwt).await;
    let token = format!("Bearer {}", app.token("ann", Role::Customer).await);
    let owner = [("authorization", token.as_str())];
    let body = json!({"productId": 1, "quantity": 1});
    let sold = app.post_with("/api/v1/sync/purchase", &owner, &body).await.ok(200);
    let path = format!("/api/v1/purchases/{}/events", sold["orderId"].as_str().unwrap());
    assert_eq!(app.events(&path, &owner).await.tells("userId").await, said("1", "ann"));
    let (_, user) = app.events(&path, &[]).await.tells("userId").await;
    assert_eq!(user, Value::Null);
    let forged = [("authorization", "Bearer a.b.c")];
    app.get_with(&path, &forged).await.problem(401, "UNAUTHENTICATED");
}
