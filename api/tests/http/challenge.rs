//! Buyers who must prove that they are people.

use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::support::{API_KEY, TestApp, buy_body};

const SYNC: &str = "/api/v1/sync/purchase";
const SECRET: &str = "known to the CAPTCHA";

fn verdict(user: &str, at_s: i64) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let mac = mac.chain_update(at_s.to_string()).chain_update(".").chain_update(user);
    format!("t={at_s},v1={:x}", mac.finalize().into_bytes())
}

async fn with_challenge() -> TestApp {
    TestApp::with(9, |config| config.auth.challenge_secret = SECRET.to_owned().into()).await
}

#[tokio::test]
async fn a_purchase_needs_a_verdict_for_its_buyer_and_of_now() {
    let app = with_challenge().await;
    let now = app.ports.clock.now().millis() / 1_000;
    let buy = async |verdict: &str| {
        app.post_with(SYNC, &[("x-challenge-verdict", verdict)], &buy_body("ann", 1)).await
    };
    buy(&verdict("ann", now)).await.ok(200);
    for wrong in
        ["", "passed", &verdict("bob", now), &verdict("ann", now - 400), &verdict("ann", now + 400)]
    {
        buy(wrong).await.problem(403, "CHALLENGE_REQUIRED");
    }
    for path in ["/api/v1/async/purchase", SYNC, "/api/v1/orders", "/api/v1/reservations"] {
        app.post(path, &buy_body("ann", 1)).await.problem(403, "CHALLENGE_REQUIRED");
    }
    app.post("/api/buy/1", &json!({"userId": "ann"})).await.problem(403, "CHALLENGE_REQUIRED");
    assert_eq!(app.available().await, 8);
    // The shop itself needs none, and looking costs nothing.
    app.post_with(SYNC, &[("x-api-key", API_KEY)], &buy_body("cid", 1)).await.ok(200);
    app.get("/api/v1/products").await.ok(200);
}

#[tokio::test]
async fn without_a_secret_nobody_is_asked() {
    let app = TestApp::start(9).await;
    app.post_with(SYNC, &[("x-challenge-verdict", "whatever")], &buy_body("ann", 1)).await.ok(200);
}
