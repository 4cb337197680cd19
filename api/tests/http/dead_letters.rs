//! Operators and dead letters.

use serde_json::{Value, json};
use shared::adapters::family;
use shared::domain::testing::purchase_of;
use shared::domain::{Minter, Purchase, envelope};
use shared::ports::DeadLetter;

use crate::support::{Switches, TestApp, turn};

const LETTERS: &str = "/api/v1/admin/dead-letters";

/// A purchase of one unit of product 1 that was parked.
pub(crate) async fn parked(app: &TestApp, user: &str) -> Purchase {
    let key = app.ports.ledger.tracking_key().await.unwrap();
    let id = Minter::new(key, rand::random()).mint(app.ports.clock.now());
    let purchase = purchase_of(id, 1, user, 1);
    let letter = DeadLetter::parked(&purchase, "out of range");
    app.ports.ledger.park(&letter).await.unwrap().unwrap();
    purchase
}

async fn garbage(app: &TestApp) {
    let letter = DeadLetter { order_id: None, body: b"\xff".to_vec(), error: "what?".into() };
    app.ports.ledger.keep_dead_letter(&letter).await.unwrap();
}

async fn list(app: &TestApp, query: &str) -> Vec<Value> {
    let page = app.operate("GET", &format!("{LETTERS}{query}"), &Value::Null).await.ok(200);
    page["deadLetters"].as_array().unwrap().clone()
}

async fn act(app: &TestApp, letter: impl std::fmt::Display, what: &str) -> crate::support::Answer {
    app.operate("POST", &format!("{LETTERS}/{letter}/{what}"), &Value::Null).await
}

async fn many(app: &TestApp, what: &str, body: Value) -> Value {
    app.operate("POST", &format!("{LETTERS}/{what}"), &body).await.ok(200)
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_shown_with_its_bytes() {
    let app = TestApp::start(5).await;
    let purchase = parked(&app, "u-1").await;
    garbage(&app).await;
    let letters = list(&app, "").await;
    assert_eq!(letters.len(), 2);
    let id = purchase.id.to_string();
    let first = &letters[0];
    assert_eq!((&first["id"], &first["orderId"]), (&1.into(), &id.as_str().into()));
    assert_eq!((&first["status"], &first["open"]), (&"PARKED".into(), &true.into()));
    assert_eq!((&first["error"], &first["body"]), (&"out of range".into(), &Value::Null));
    let asked = &first["purchases"][0];
    assert_eq!((&asked["userId"], &asked["quantity"]), (&"u-1".into(), &1.into()));
    assert_eq!((&letters[1]["orderId"], &letters[1]["purchases"]), (&Value::Null, &json!([])));

    for name in ["1", &id] {
        let shown = app.operate("GET", &format!("{LETTERS}/{name}"), &Value::Null).await.ok(200);
        let body = shown["body"].as_str().unwrap().to_owned();
        let bytes = base64_of(&envelope::encode_alone(&purchase));
        assert_eq!((body, &shown["id"]), (bytes, &1.into()));
    }
    let page = app.operate("GET", &format!("{LETTERS}?limit=1"), &Value::Null).await.ok(200);
    assert_eq!((page["deadLetters"].as_array().unwrap().len(), &page["next"]), (1, &1.into()));
    assert_eq!(list(&app, "?limit=1&after=1").await, letters[1..]);
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn what_is_not_a_letter_is_named() {
    let app = TestApp::start(5).await;
    let get = async |path: &str| app.operate("GET", path, &Value::Null).await;
    get(&format!("{LETTERS}/7")).await.problem(404, "DEAD_LETTER_NOT_FOUND");
    get(&format!("{LETTERS}/0")).await.faults(&["id"]);
    get(&format!("{LETTERS}?state=x&limit=0&after=-1")).await.faults(&["state", "limit", "after"]);
    act(&app, 7, "replay").await.problem(404, "DEAD_LETTER_NOT_FOUND");
    act(&app, 7, "discard").await.problem(404, "DEAD_LETTER_NOT_FOUND");
    app.operate("POST", &format!("{LETTERS}/replay"), &json!({})).await.faults(&["ids"]);
}

#[tokio::test]
async fn a_replayed_letter_is_settled_once() {
    let app = TestApp::start(5).await;
    let purchase = parked(&app, "u-1").await;
    for _ in 0..2 {
        let moved = act(&app, 1, "replay").await.ok(202);
        assert_eq!((&moved["changed"], &moved["deadLetter"]["open"]), (&true.into(), &true.into()));
        assert!(moved["deadLetter"]["replayedAt"].is_string(), "{moved}");
    }
    assert_eq!(app.depth().await, 2);
    app.work();
    let path = format!("/api/v1/purchases/{}?wait=20", purchase.id);
    assert_eq!(app.get(&path).await.ok(200)["status"], "CONFIRMED");
    let again = act(&app, purchase.id, "replay").await.ok(200);
    assert_eq!((&again["changed"], &again["deadLetter"]["open"]), (&false.into(), &false.into()));
    assert_eq!(again["deadLetter"]["status"], "CONFIRMED");
    let problem = act(&app, 1, "discard").await.problem(409, "INVALID_TRANSITION");
    assert_eq!(problem["details"]["status"], "CONFIRMED");
    assert_eq!((list(&app, "").await.len(), list(&app, "?state=all").await.len()), (0, 1));
    assert_eq!(app.available().await, 4);
}

#[tokio::test]
async fn a_client_who_waits_learns_of_a_discard() {
    let app = TestApp::start(5).await;
    let purchase = parked(&app, "u-1").await;
    let path = format!("/api/v1/purchases/{}", purchase.id);
    assert_eq!(app.get(&path).await.ok(200)["status"], "PARKED");
    let wait = format!("{path}?wait=20");
    let (waited, moved) = tokio::join!(app.get(&wait), act(&app, 1, "discard"));
    let moved = moved.ok(200);
    assert_eq!((&moved["changed"], &moved["deadLetter"]["open"]), (&true.into(), &false.into()));
    let waited = waited.ok(200);
    assert_eq!((&waited["status"], &waited["reason"]), (&"REJECTED".into(), &"DISCARDED".into()));
    assert_eq!(waited["terminal"], true);

    let again = act(&app, 1, "discard").await.ok(200);
    assert_eq!(
        (&again["changed"], &again["deadLetter"]["reason"]),
        (&false.into(), &"DISCARDED".into())
    );
    let problem = act(&app, 1, "replay").await.problem(409, "INVALID_TRANSITION");
    assert_eq!(problem["details"]["status"], "REJECTED");
    assert_eq!(app.depth().await, 0);
}

#[tokio::test]
async fn what_has_no_order_can_only_be_discarded() {
    let app = TestApp::start(5).await;
    garbage(&app).await;
    act(&app, 1, "replay").await.problem(409, "NOT_REPLAYABLE");
    assert_eq!(act(&app, 1, "discard").await.ok(200)["changed"], true);
    assert_eq!(act(&app, 1, "discard").await.ok(200)["changed"], false);
    assert!(list(&app, "").await.is_empty());
}

#[tokio::test]
async fn many_are_replayed_at_a_pace_and_in_order() {
    let app = TestApp::start(5).await;
    let mut purchases = vec![];
    for n in 0..4 {
        purchases.push(parked(&app, &format!("u-{n}")).await.id);
        garbage(&app).await;
    }
    let started = tokio::time::Instant::now();
    let moved = many(&app, "replay", json!({"all": true, "rate": 20})).await;
    assert!(started.elapsed().as_millis() >= 150, "four at 20 per second");
    assert_eq!((&moved["changed"], &moved["next"]), (&4.into(), &Value::Null));
    assert_eq!(moved["refused"], json!([]), "what cannot be replayed was not meant");
    let mut deliveries = app.ports.queue.consume().await.unwrap();
    for id in purchases {
        let delivery = deliveries.next().await.unwrap();
        let found = envelope::decode(&delivery.body).unwrap().purchases;
        assert_eq!((found[0].id, found[0].replayed), (id, true));
    }
}

#[tokio::test]
async fn many_are_discarded_and_refusals_are_named() {
    let app = TestApp::start(5).await;
    let purchase = parked(&app, "u-1").await;
    garbage(&app).await;
    let ids = json!({"ids": [2, purchase.id, 99]});
    let moved = many(&app, "discard", ids.clone()).await;
    assert_eq!((&moved["changed"], &moved["unchanged"]), (&2.into(), &0.into()));
    let refused = moved["refused"].as_array().unwrap();
    assert_eq!((refused.len(), &refused[0]["id"]), (1, &"99".into()));
    assert_eq!(refused[0]["code"], "DEAD_LETTER_NOT_FOUND");
    let again = many(&app, "discard", ids).await;
    assert_eq!((&again["changed"], &again["unchanged"]), (&0.into(), &2.into()));
    parked(&app, "u-2").await;
    assert_eq!(many(&app, "discard", json!({"all": true})).await["changed"], 1);
    let log = app.operate("GET", "/api/v1/admin/audit-log?actor=admin", &Value::Null).await.ok(200);
    let entries = log["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &log["next"]), (3, &Value::Null), "{log}");
    assert!(entries.iter().all(|entry| entry["action"] == "dead-letter.discard"), "{log}");
    assert!(entries.iter().all(|entry| entry["origin"] == "127.0.0.1"), "{log}");
}

#[tokio::test]
async fn without_the_ledger_nothing_is_done() {
    let switches = Switches::default();
    let app = TestApp::over(switches.before(family::embedded()), 5, |_| {}).await;
    parked(&app, "u-1").await;
    turn(&switches.ledger_away);
    act(&app, 1, "replay").await.problem(503, "UNAVAILABLE");
    app.operate("GET", LETTERS, &Value::Null).await.problem(503, "UNAVAILABLE");
    let all = json!({"all": true});
    let problem = app.operate("POST", &format!("{LETTERS}/discard"), &all).await;
    assert_eq!(problem.problem(503, "UNAVAILABLE")["details"]["changed"], 0);
    assert_eq!(app.depth().await, 0);
}
