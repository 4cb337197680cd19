//! What browsers are told: which pages may ask, and what they may make of an answer.

use crate::support::{TestApp, buy_body};

const SHOP: &str = "https://shop.example";

async fn with_shop() -> TestApp {
    TestApp::with(5, |config| {
        config.http.cors_origins = format!("{SHOP}, http://localhost:3000").try_into().unwrap();
    })
    .await
}

#[tokio::test]
async fn pages_of_listed_origins_may_ask_and_no_others() {
    let app = with_shop().await;
    let asks = [
        ("origin", SHOP),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "content-type,idempotency-key,authorization,x-challenge-verdict",
        ),
    ];
    let path = "/api/v1/async/purchase";
    let may = app.send("OPTIONS", path, &asks, "").await;
    assert_eq!(may.status, 200);
    assert_eq!(may.header("access-control-allow-origin"), SHOP);
    assert!(may.header("access-control-allow-methods").contains("POST"));
    assert!(may.header("access-control-allow-headers").contains("idempotency-key"));
    assert!(may.header("access-control-allow-headers").contains("x-challenge-verdict"));
    assert!(may.header("access-control-allow-credentials").is_empty());
    let bought = app.post_with(path, &[("origin", SHOP)], &buy_body("u-1", 1)).await;
    bought.ok(202);
    assert_eq!(bought.header("access-control-allow-origin"), SHOP);
    assert!(bought.header("access-control-expose-headers").contains("location"));
    // A page sees refusals too.
    let refused = app.get_with("/api/v1/admin/audit", &[("origin", SHOP)]).await;
    refused.problem(401, "UNAUTHENTICATED");
    assert_eq!(refused.header("access-control-allow-origin"), SHOP);
    for other in ["https://evil.example", "https://shop.example.evil", "null"] {
        let answer = app.get_with("/livez", &[("origin", other)]).await;
        assert!(answer.header("access-control-allow-origin").is_empty(), "{other}");
    }
}

#[tokio::test]
async fn without_origins_no_page_of_another_may_ask() {
    let app = TestApp::start(5).await;
    let answer = app.get_with("/livez", &[("origin", SHOP)]).await;
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control")));
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let app = TestApp::start(5).await;
    for path in ["/livez", "/api/v1/products", "/nowhere", "/docs", "/api/v1/admin/audit"] {
        let answer = app.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(answer.header("strict-transport-security").is_empty(), "not over plain HTTP");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
}
