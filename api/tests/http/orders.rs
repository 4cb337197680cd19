//! Holds, checkout and what becomes of orders.

use std::num::NonZeroU32;
use std::time::Duration;

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::config::{Config, RefusedPayment};
use shared::testing::eventually;

use crate::support::{Answer, TestApp, buy_body};

const HOLD: &str = "/api/v1/reservations";
const CHECKOUT: &str = "/api/v1/orders/checkout";
const WEBHOOK: &str = "/api/v1/payments/webhook";
const SECRET: &str = "a secret of the provider";

fn configured(config: &mut Config) {
    config.payments.webhook_secret = SECRET.to_owned().into();
    // A busy machine is not a slow provider.
    config.payments.timeout = Duration::from_secs(20);
}

/// Waits for no provider.
async fn hasty_shop(units: i64) -> TestApp {
    TestApp::with(units, |config| {
        configured(config);
        config.payments.timeout = Duration::from_millis(100);
    })
    .await
}

async fn shop(units: i64) -> TestApp {
    TestApp::with(units, configured).await
}

/// The ID of a new hold of `user`'s.
async fn hold(app: &TestApp, user: &str) -> String {
    let held = app.post(HOLD, &buy_body(user, 1)).await.ok(201);
    held["reservationId"].as_str().unwrap().to_owned()
}

async fn check_out(app: &TestApp, id: &str, transaction: &str) -> Answer {
    let body = json!({
        "reservationId": id, "paymentTransactionId": transaction, "paymentMethod": "card",
        "shippingAddress": {"city": "Bern"},
    });
    app.post(CHECKOUT, &body).await
}

fn event(kind: &str, id: &str, transaction: &str) -> String {
    json!({"type": kind, "orderId": id, "paymentTransactionId": transaction}).to_string()
}

fn sign(at_s: i64, body: &str) -> String {
    sign_with(SECRET, at_s, body)
}

fn sign_with(secret: &str, at_s: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at_s}.{body}").as_bytes());
    format!("t={at_s},v1={:x}", mac.finalize().into_bytes())
}

async fn tell(app: &TestApp, body: &str) -> Answer {
    let now_s = app.ports.clock.now().millis() / 1_000;
    let signature = sign(now_s, body);
    app.post_raw(WEBHOOK, &[("doorbuster-signature", &signature)], body.to_owned()).await
}

async fn order(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/api/v1/orders/{id}")).await.ok(200)
}

#[tokio::test]
async fn a_hold_is_paid_and_shipped() {
    let app = shop(5).await;
    let answer = app.post(HOLD, &buy_body("u-1", 2)).await;
    let held = answer.ok(201);
    let id = held["reservationId"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("{HOLD}/{id}"));
    assert_eq!((&held["status"], &held["userId"]), (&"RESERVED".into(), &"u-1".into()));
    assert_eq!((&held["skuId"], &held["quantity"]), (&"SKU-1".into(), &2.into()));
    assert_eq!(held["expiresInSeconds"], 120);
    assert_eq!(app.get(&format!("{HOLD}/{id}")).await.ok(200)["status"], "RESERVED");
    let stock = app.get("/api/v1/products/1/availability").await.ok(200);
    assert_eq!((&stock["availableCount"], &stock["reservedCount"]), (&3.into(), &2.into()));

    let answer = check_out(&app, id, "t-1").await;
    let sold = answer.ok(201);
    assert_eq!(answer.header("location"), format!("/api/v1/orders/{id}"));
    assert_eq!((&sold["status"], &sold["totalPrice"]), (&"CONFIRMED".into(), &"1999.98".into()));
    assert_eq!(sold["shippingAddress"], json!({"city": "Bern"}));
    assert_eq!((&sold["orderId"], &sold["paymentTransactionId"]), (&id.into(), &"t-1".into()));
    // What only its order's readers see.
    let purchase = app.get(&format!("/api/v1/purchases/{id}")).await.ok(200);
    assert_eq!(purchase["status"], "CONFIRMED");
    assert!(!purchase.to_string().contains("Bern"));

    let fulfil = format!("/api/v1/orders/{id}/fulfil");
    app.post(&fulfil, &json!({})).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(app.operate("POST", &fulfil, &json!({})).await.ok(200)["status"], "FULFILLED");
    assert_eq!(order(&app, id).await["version"], 4);
    let problem = app.post(&format!("/api/v1/orders/{id}/cancel"), &json!({})).await;
    let details = &problem.problem(409, "INVALID_TRANSITION")["details"];
    assert_eq!(*details, json!({"from": "FULFILLED", "to": "CANCELLED", "allowed": []}));
}

#[tokio::test]
async fn a_hold_may_be_asked_for_asynchronously() {
    let app = shop(5).await;
    app.work();
    let prefer = [("prefer", "respond-async")];
    let accepted = app.post_with(HOLD, &prefer, &buy_body("u-1", 1)).await.ok(202);
    let id = accepted["trackingId"].as_str().unwrap();
    let path = format!("/api/v1/purchases/{id}?wait=10");
    let decided = app.get(&path).await.ok(200);
    assert_eq!((&decided["status"], &decided["terminal"]), (&"RESERVED".into(), &false.into()));
    assert!(decided["expiresAt"].is_string());
    assert_eq!(check_out(&app, id, "t-1").await.ok(201)["status"], "CONFIRMED");
    let prefer = [("prefer", "respond-async, wait=10")];
    let decided = app.post_with(HOLD, &prefer, &buy_body("u-2", 1)).await.ok(200);
    assert_eq!(decided["status"], "RESERVED");
}

#[tokio::test]
async fn a_user_holds_a_product_once_and_may_give_it_back_twice() {
    let app = shop(1).await;
    let id = hold(&app, "u-1").await;
    let again = app.post(HOLD, &buy_body("u-1", 1)).await;
    // The edge knows that nothing is left; the ledger would say that it is held.
    assert_eq!(again.status, 409);
    let path = format!("{HOLD}/{id}");
    let theirs = app.send("DELETE", &path, &[("x-user-id", "u-2")], "").await;
    theirs.problem(403, "FORBIDDEN");
    for _ in 0..2 {
        let returned = app.send("DELETE", &path, &[("x-user-id", "u-1")], "").await.ok(200);
        assert_eq!(
            (&returned["status"], &returned["expiresInSeconds"]),
            (&"CANCELLED".into(), &0.into())
        );
    }
    assert_eq!(app.available().await, 1);
    hold(&app, "u-1").await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_by_its_own_name() {
    let app = shop(5).await;
    let unknown = "01a1fcd9-478b-8000-8005-2e6029c7e5ab";
    app.get(&format!("{HOLD}/{unknown}")).await.problem(404, "RESERVATION_NOT_FOUND");
    app.get(&format!("/api/v1/orders/{unknown}")).await.problem(404, "ORDER_NOT_FOUND");
    let delete = app.send("DELETE", &format!("{HOLD}/{unknown}"), &[], "").await;
    delete.problem(404, "RESERVATION_NOT_FOUND");
    check_out(&app, unknown, "t-1").await.problem(404, "RESERVATION_NOT_FOUND");
    tell(&app, &event("payment.succeeded", unknown, "t-1")).await.problem(404, "ORDER_NOT_FOUND");
    app.get("/api/v1/orders/7").await.faults(&["orderId"]);
    // What was bought at once is no reservation.
    let sold = app.post("/api/v1/orders", &buy_body("u-1", 1)).await.ok(201);
    let id = sold["orderId"].as_str().unwrap();
    app.get(&format!("{HOLD}/{id}")).await.problem(404, "RESERVATION_NOT_FOUND");
    let delete = app.send("DELETE", &format!("{HOLD}/{id}"), &[], "").await;
    delete.problem(409, "INVALID_TRANSITION");
    // What waits in the queue was issued, and can go nowhere yet.
    let queued = app.post("/api/v1/async/purchase", &buy_body("u-2", 1)).await.ok(202);
    let id = queued["trackingId"].as_str().unwrap();
    let details = check_out(&app, id, "t-1").await.problem(409, "INVALID_TRANSITION");
    assert_eq!(details["details"]["from"], "QUEUED");
    assert_eq!(order(&app, id).await["status"], "QUEUED");
}

#[tokio::test]
async fn a_declined_payment_frees_the_units() {
    let app = shop(1).await;
    let id = hold(&app, "u-1").await;
    let declined = check_out(&app, &id, "decline-1").await.problem(402, "PAYMENT_DECLINED");
    assert_eq!(declined["details"], json!({"orderId": id, "status": "FAILED"}));
    check_out(&app, &id, "decline-1").await.problem(402, "PAYMENT_DECLINED");
    assert_eq!(app.available().await, 1);
}

#[tokio::test]
async fn a_declined_payment_may_leave_the_hold() {
    let app = TestApp::with(1, |config| {
        config.payments.refused = RefusedPayment::KeepHold;
    })
    .await;
    let id = hold(&app, "u-1").await;
    let declined = check_out(&app, &id, "decline-1").await.problem(402, "PAYMENT_DECLINED");
    assert_eq!(declined["details"]["status"], "RESERVED");
    assert_eq!(check_out(&app, &id, "t-2").await.ok(201)["status"], "CONFIRMED");
}

#[tokio::test]
async fn a_payment_that_is_not_known_is_pending_until_the_webhook() {
    let app = hasty_shop(5).await;
    for transaction in ["never-1", "error-1"] {
        let id = hold(&app, transaction).await;
        let pending = check_out(&app, &id, transaction).await.ok(201);
        assert_eq!(pending["status"], "PENDING");
        assert!(pending["payBy"].is_string());
        let body = event("payment.succeeded", &id, transaction);
        for _ in 0..2 {
            let receipt = tell(&app, &body).await.ok(200);
            assert_eq!(
                (&receipt["received"], &receipt["status"]),
                (&true.into(), &"CONFIRMED".into())
            );
        }
        // Too late to be refused.
        tell(&app, &event("payment.failed", &id, transaction)).await.ok(200);
        assert_eq!(order(&app, &id).await["status"], "CONFIRMED");
    }
    assert_eq!(app.available().await, 3);
}

#[tokio::test]
async fn a_slow_verdict_is_recorded_when_it_comes() {
    let app = TestApp::with(1, |config| config.payments.timeout = Duration::from_millis(1)).await;
    let id = hold(&app, "u-1").await;
    assert_eq!(check_out(&app, &id, "slow-1").await.ok(201)["status"], "PENDING");
    eventually("the verdict is recorded", async || {
        (order(&app, &id).await["status"] == "CONFIRMED").then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_a_secret_no_webhook_is_believed() {
    let app = TestApp::start(1).await;
    let body = event("payment.succeeded", &hold(&app, "ann").await, "t-1");
    let now_s = app.ports.clock.now().millis() / 1_000;
    for secret in [SECRET, ""] {
        let signature = sign_with(secret, now_s, &body);
        let headers = [("doorbuster-signature", signature.as_str())];
        let answer = app.post_raw(WEBHOOK, &headers, body.clone()).await;
        let problem = answer.problem(401, "UNAUTHENTICATED");
        assert!(problem["detail"].as_str().unwrap().contains("webhook_secret"), "{problem}");
    }
}

#[tokio::test]
async fn a_webhook_is_believed_only_with_a_fresh_signature() {
    let app = hasty_shop(5).await;
    let id = hold(&app, "u-1").await;
    check_out(&app, &id, "never-1").await.ok(201);
    let body = event("payment.succeeded", &id, "never-1");
    let now_s = app.ports.clock.now().millis() / 1_000;
    let other_body = sign(now_s, "{}");
    for signature in [&sign(now_s - 600, &body), &sign(now_s + 600, &body), &other_body, "x", "t=1"]
    {
        let headers = [("doorbuster-signature", signature as &str)];
        let answer = app.post_raw(WEBHOOK, &headers, body.clone()).await;
        answer.problem(401, "UNAUTHENTICATED");
    }
    app.post_raw(WEBHOOK, &[], body.clone()).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(order(&app, &id).await["status"], "PENDING");
    tell(&app, r#"{"type":"payout.paid"}"#).await.ok(200);
    tell(&app, r#"{"type":"payment.failed"}"#).await.faults(&["orderId", "paymentTransactionId"]);
    assert_eq!(tell(&app, &body).await.ok(200)["status"], "CONFIRMED");
}

#[tokio::test]
async fn a_hold_that_ran_out_cannot_be_paid_but_its_money_is_honoured() {
    let app = TestApp::with(1, |config| {
        configured(config);
        config.holds.seconds = NonZeroU32::MIN;
    })
    .await;
    let id = hold(&app, "u-1").await;
    eventually("the hold runs out", async || {
        (app.ports.ledger.expire(10).await.unwrap().count == 1).then_some(())
    })
    .await;
    let problem = check_out(&app, &id, "t-1").await.problem(409, "RESERVATION_EXPIRED");
    assert_eq!(problem["details"]["reservationId"], id.as_str());
    let late = event("payment.succeeded", &id, "t-1");
    let receipt = tell(&app, &late).await.ok(200);
    assert_eq!(receipt["status"], "EXPIRED");
    let reclaim = receipt["reclaimedBy"].as_str().unwrap();
    assert_eq!(order(&app, reclaim).await["reclaims"], id.as_str());
    assert_eq!(tell(&app, &late).await.ok(200), receipt);
    assert_eq!(app.available().await, 0);
    // Money for which there are no units left.
    let cancel = format!("/api/v1/orders/{reclaim}/cancel");
    let cancelled = app.post(&cancel, &json!({})).await.ok(200);
    assert_eq!(cancelled["refundTransactionIds"], json!(["t-1"]));
    assert!(cancelled["refundDueAt"].is_string());
}

#[tokio::test]
async fn a_user_s_orders_are_listed_in_pages() {
    let app = shop(9).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let sold = app.post("/api/v1/orders", &buy_body("u-1", 1)).await.ok(201);
        ids.push(sold["orderId"].clone());
    }
    let page = app.get("/api/v1/orders?userId=u-1&limit=2").await.ok(200);
    let listed: Vec<_> =
        page["orders"].as_array().unwrap().iter().map(|o| o["orderId"].clone()).collect();
    assert_eq!(listed, [ids[2].clone(), ids[1].clone()]);
    let next = page["next"].as_str().unwrap();
    let rest = app.get(&format!("/api/v1/orders/user/u-1?status=confirmed&after={next}")).await;
    let rest = rest.ok(200);
    assert_eq!((&rest["orders"][0]["orderId"], &rest["next"]), (&ids[0], &Value::Null));
    let none = app.get("/api/v1/orders?userId=u-1&status=CANCELLED").await.ok(200);
    assert_eq!(none["orders"], json!([]));
    app.get("/api/v1/orders").await.faults(&["userId"]);
    let bad = app.get("/api/v1/orders?userId=u&status=GONE&limit=0&after=x").await;
    bad.faults(&["status", "after", "limit"]);
}

#[tokio::test]
async fn a_keyed_hold_is_the_same_hold() {
    let app = shop(5).await;
    let key = [("idempotency-key", "k-1")];
    let first = app.post_with(HOLD, &key, &buy_body("u-1", 1)).await.ok(201);
    let again = app.post_with(HOLD, &key, &buy_body("u-1", 1)).await.ok(201);
    assert_eq!(first["reservationId"], again["reservationId"]);
    // Buying is another request than holding.
    let buy = app.post_with("/api/v1/orders", &key, &buy_body("u-1", 1)).await;
    buy.problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(app.available().await, 4);
}
