//! What an instance still does when something is away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shared::adapters::family;
use shared::config::{AuthMode, Config};
use shared::testing::eventually;
use tokio::time::Instant;

use crate::support::{Answer, Switches, TestApp, buy_body, turn};

const ASYNC: &str = "/api/v1/async/purchase";
const SYNC: &str = "/api/v1/sync/purchase";

async fn switched() -> (TestApp, Switches) {
    let switches = Switches::default();
    let app = TestApp::over(switches.before(family::embedded()), 5, |_| {}).await;
    (app, switches)
}

/// The readiness report once its status is `status`: it may be half a second old.
async fn ready(app: &TestApp, status: &str) -> Answer {
    eventually("the report follows", async || {
        let answer = app.get("/readyz").await;
        (answer.json()["status"] == status).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn without_the_broker_nothing_is_accepted() {
    let (app, switches) = switched().await;
    turn(&switches.broker_away);
    app.post(ASYNC, &buy_body("u-1", 1)).await.problem(503, "UNAVAILABLE");
    let answer = ready(&app, "unavailable").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    let checks = &answer.json()["checks"];
    assert_eq!(checks["rabbitmq"]["status"], "down");
    assert_eq!(
        (&checks["rabbitmq"]["detail"], &checks["redis"]["status"]),
        (&"it takes no messages; see the log".into(), &"up".into(),)
    );
    eventually("the queue's state is not known", async || {
        (app.get("/api/v1/async/queue/status").await.status == 503).then_some(())
    })
    .await;
    // The synchronous way needs no broker.
    app.post(SYNC, &buy_body("u-1", 1)).await.ok(200);
}

#[tokio::test]
async fn a_broker_that_does_not_confirm_is_not_waited_for() {
    let (app, switches) = switched().await;
    turn(&switches.broker_silent);
    let began = Instant::now();
    app.post(ASYNC, &buy_body("u-1", 1)).await.problem(503, "UNAVAILABLE");
    // A second; the rest is for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn without_the_ledger_the_202s_go_on() {
    let (app, switches) = switched().await;
    turn(&switches.ledger_away);
    let accepted = app.post(ASYNC, &buy_body("u-1", 1)).await.ok(202);
    let keyed = [("idempotency-key", "k-1")];
    app.post_with(ASYNC, &keyed, &buy_body("u-1", 1)).await.ok(202);
    let id = accepted["trackingId"].as_str().unwrap();
    app.get(&format!("/api/v1/purchases/{id}")).await.problem(503, "UNAVAILABLE");
    app.post(SYNC, &buy_body("u-1", 1)).await.problem(503, "UNAVAILABLE");
    let audit = app.operate("GET", "/api/v1/admin/audit", &serde_json::json!({})).await;
    audit.problem(503, "UNAVAILABLE");
    let restock = serde_json::json!({"quantity": 1});
    app.operate("POST", "/api/v1/products/1/restock", &restock).await.problem(503, "UNAVAILABLE");
    let answer = ready(&app, "degraded").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["checks"]["postgresql"]["status"], "down");
    // A wait that cannot be answered does not take a 202 back.
    app.post_with(ASYNC, &[("prefer", "wait=5")], &buy_body("u-2", 1)).await.ok(202);
}

#[tokio::test]
async fn a_verdict_that_comes_while_the_ledger_is_away_is_not_forgotten() {
    let switches = Switches::default();
    let hasty = |config: &mut Config| config.payments.timeout = Duration::from_millis(1);
    let app = TestApp::over(switches.before(family::embedded()), 5, hasty).await;
    let held = app.post("/api/v1/reservations", &buy_body("u-1", 1)).await.ok(201);
    let id = held["reservationId"].as_str().unwrap();
    let body = serde_json::json!({"reservationId": id, "paymentTransactionId": "slow-1"});
    let pending = app.post("/api/v1/orders/checkout", &body).await.ok(201);
    assert_eq!(pending["status"], "PENDING");
    turn(&switches.ledger_away);
    eventually("the verdict meets no ledger", async || {
        (switches.advances_refused.load(Ordering::SeqCst) >= 2).then_some(())
    })
    .await;
    switches.ledger_away.store(false, Ordering::SeqCst);
    eventually("the verdict is recorded", async || {
        let shown = app.get(&format!("/api/v1/orders/{id}")).await;
        (shown.status == 200 && shown.json()["status"] == "CONFIRMED").then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_redis_everything_goes_on() {
    let (app, switches) = switched().await;
    turn(&switches.redis_away);
    app.post(SYNC, &buy_body("u-1", 1)).await.ok(200);
    app.post(ASYNC, &buy_body("u-1", 1)).await.ok(202);
    let change = serde_json::json!({"quantity": 1});
    app.operate("POST", "/api/v1/products/1/restock", &change).await.ok(200);
    let answer = ready(&app, "degraded").await;
    assert_eq!(answer.json()["checks"]["redis"]["status"], "down");
    let audit = app.operate("GET", "/api/v1/admin/audit", &serde_json::json!({})).await.ok(200);
    assert_eq!(
        (&audit["products"][0]["gate"], &audit["healthy"]),
        (&serde_json::Value::Null, &true.into())
    );
}

#[tokio::test]
async fn before_anything_was_loaded_purchases_are_refused() {
    let switches = Switches::default();
    turn(&switches.ledger_away);
    let app = TestApp::bare(switches.before(family::embedded()), |_| {}).await;
    app.post(ASYNC, &buy_body("u-1", 1)).await.problem(503, "UNAVAILABLE");
    app.get("/api/v1/products").await.problem(503, "UNAVAILABLE");
    let report = app.get("/readyz").await;
    assert_eq!(report.status, 503);
    assert_eq!(report.json()["checks"]["trackingKey"]["status"], "down");
    assert_eq!(report.json()["checks"]["catalogue"]["status"], "down");
    assert_eq!(app.get("/livez").await.status, 200);
}

#[tokio::test]
async fn without_the_keys_of_tokens_nobody_can_buy() {
    let of_an_issuer = |config: &mut Config| {
        config.auth.mode = AuthMode::Jwt;
        config.auth.jwks = "there/is/no/such.json".into();
    };
    let app = TestApp::bare(family::embedded(), of_an_issuer).await;
    let tokens = [("authorization", "Bearer a.b.c")];
    app.post_with(ASYNC, &tokens, &buy_body("u-1", 1)).await.problem(503, "UNAVAILABLE");
    let report = app.get("/readyz").await;
    assert_eq!(report.status, 503);
    assert_eq!(report.json()["checks"]["tokenKeys"]["status"], "down");
}

#[tokio::test]
async fn a_collision_is_never_answered_with_somebody_elses_outcome() {
    let (app, switches) = switched().await;
    turn(&switches.collide);
    let problem = app.post(SYNC, &buy_body("u-1", 1)).await.problem(503, "UNAVAILABLE");
    assert_eq!(problem["details"], serde_json::json!({}));
}
