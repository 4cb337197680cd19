//! Bad input: refused with every fault listed, and nothing published.

use serde_json::{Value, json};

use crate::support::{TestApp, buy_body};

const PATHS: [&str; 2] = ["/api/v1/async/purchase", "/api/v1/sync/purchase"];

/// Product 1's purchase with one field replaced, or taken out by null.
fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut body = buy_body("u-1", 1);
    body[field] = value.into();
    body
}

async fn nothing_happened(app: &TestApp) {
    assert_eq!((app.depth().await, app.available().await), (0, 5));
}

#[tokio::test]
async fn wrong_values_are_named_field_by_field() {
    let app = TestApp::start(5).await;
    let cases: &[(Value, &[&str])] = &[
        (json!({}), &["productId", "quantity", "userId"]),
        (
            json!({"productId": null, "quantity": null, "userId": null}),
            &["productId", "quantity", "userId"],
        ),
        (with("quantity", 0), &["quantity"]),
        (with("quantity", -1), &["quantity"]),
        (with("quantity", 101), &["quantity"]),
        (with("quantity", i64::MAX), &["quantity"]),
        (with("quantity", u64::MAX), &["quantity"]),
        (with("quantity", 1.5), &["quantity"]),
        (with("quantity", "1"), &["quantity"]),
        (with("quantity", true), &["quantity"]),
        (with("productId", 0), &["productId"]),
        (with("productId", -7), &["productId"]),
        (with("productId", "1"), &["productId"]),
        (with("sku", "SKU-1"), &["productId"]),
        (with("skuId", "SKU-1"), &["productId"]),
        (with("productId", json!(null)), &["productId"]),
        (with("userId", ""), &["userId"]),
        (with("userId", "u".repeat(129)), &["userId"]),
        (with("userId", "a\0b"), &["userId"]),
        (with("userId", "a\nb"), &["userId"]),
        (with("userId", json!(["u"])), &["userId"]),
        (with("userId", json!({})), &["userId"]),
        (with("userId", 1.5), &["userId"]),
        (with("userId", true), &["userId"]),
        (json!({"sku": "SKU\u{0}1", "quantity": 1, "userId": "u"}), &["sku"]),
        (json!({"sku": "12345", "quantity": 1, "userId": "u"}), &["sku"]),
        (json!({"sku": 5, "quantity": 1, "userId": "u"}), &["sku"]),
        (json!({"skuId": "x".repeat(65), "quantity": 1, "userId": "u"}), &["skuId"]),
        (
            json!({"productId": "x", "quantity": 0, "userId": ""}),
            &["productId", "quantity", "userId"],
        ),
    ];
    for path in PATHS {
        for (body, fields) in cases {
            app.post(path, body).await.faults(fields);
        }
    }
    nothing_happened(&app).await;
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let app = TestApp::start(5).await;
    let bodies: &[&[u8]] = &[
        b"",
        b"{",
        b"not json",
        b"[]",
        b"\"text\"",
        b"42",
        b"null",
        b"{\"productId\":1,\"quantity\":1,\"userId\":\"u\"} trailing",
        b"[1,null,null,1,\"u\"]",
        b"{\"productId\":1,\"quantity\":1,\"userId\":\"\xff\xfe\"}",
        b"{'productId':1}",
        b"{\"productId\":01,\"quantity\":1,\"userId\":\"u\"}",
        b"{\"productId\":1,\"quantity\":1,\"userId\":\"a\x00b\"}",
    ];
    for path in PATHS {
        for body in bodies {
            app.post_raw(path, &[], *body).await.faults(&["body"]);
        }
        let nested = [vec![b'['; 8_000], vec![b']'; 8_000]].concat();
        app.post_raw(path, &[], nested).await.faults(&["body"]);
    }
    nothing_happened(&app).await;
}

#[tokio::test]
async fn a_body_is_nested_no_deeper_than_64_levels() {
    let app = TestApp::start(5).await;
    let with =
        |more: &str| format!(r#"{{"productId":1,"quantity":1,"userId":"u-1","more":{more}}}"#);
    let nested = |levels| with(&["[".repeat(levels), "]".repeat(levels)].concat());
    for path in PATHS {
        // The body itself is the first level.
        for levels in [64, 7_000] {
            let answer = app.post_raw(path, &[], nested(levels)).await;
            answer.faults(&["body"]);
            assert!(answer.json().to_string().contains("64 levels"), "{answer:?}");
        }
    }
    nothing_happened(&app).await;
    app.post_raw(PATHS[0], &[], nested(63)).await.ok(202);
    let brackets = format!(r#""\"{}""#, "[{".repeat(1_000));
    app.post_raw(PATHS[0], &[], with(&brackets)).await.ok(202);
}

#[tokio::test]
async fn a_name_twice_in_a_body_is_refused() {
    let app = TestApp::start(5).await;
    let body = r#"{"productId":1,"quantity":1,"quantity":2,"userId":"u"}"#;
    app.post_raw(PATHS[0], &[], body).await.faults(&["quantity"]);
    nothing_happened(&app).await;
}

#[tokio::test]
async fn a_bad_key_is_named_beside_the_faults_of_the_body() {
    let app = TestApp::start(5).await;
    for path in PATHS {
        for key in ["", "two words", "é", &"k".repeat(256)] {
            let answer = app.post_with(path, &[("idempotency-key", key)], &buy_body("u", 1)).await;
            answer.faults(&["Idempotency-Key"]);
        }
        let answer = app.post_with(path, &[("idempotency-key", "")], &with("quantity", 0)).await;
        answer.faults(&["quantity", "Idempotency-Key"]);
        let longest = "k".repeat(255);
        let answer = app.post_with(path, &[("idempotency-key", &longest)], &json!({})).await;
        answer.faults(&["productId", "quantity", "userId"]);
    }
    nothing_happened(&app).await;
}

#[tokio::test]
async fn a_product_that_does_not_exist_is_a_404() {
    let app = TestApp::start(5).await;
    for path in PATHS {
        app.post(path, &with("productId", 999)).await.problem(404, "PRODUCT_NOT_FOUND");
        let by_sku = json!({"sku": "NOPE", "quantity": 1, "userId": "u"});
        app.post(path, &by_sku).await.problem(404, "PRODUCT_NOT_FOUND");
    }
    nothing_happened(&app).await;
}

#[tokio::test]
async fn only_json_is_taken() {
    let app = TestApp::start(5).await;
    let body = buy_body("u-1", 1).to_string();
    for path in PATHS {
        for headers in [&[][..], &[("content-type", "text/plain")], &[("content-type", "")]] {
            let answer = app.send("POST", path, headers, body.clone()).await;
            answer.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
    nothing_happened(&app).await;
    let charset = [("content-type", "Application/JSON; charset=utf-8")];
    app.send("POST", PATHS[0], &charset, body).await.ok(202);
}

#[tokio::test]
async fn a_large_body_is_refused_however_it_comes() {
    let app = TestApp::start(5).await;
    let max = 16 * 1_024;
    let padded = |size: usize| {
        let body = buy_body("u-1", 1).to_string();
        format!("{}{body}", " ".repeat(size - body.len()))
    };
    for path in PATHS {
        app.post_raw(path, &[], padded(max + 1)).await.problem(413, "PAYLOAD_TOO_LARGE");
        app.post_raw(path, &[], padded(600_000)).await.problem(413, "PAYLOAD_TOO_LARGE");
    }
    nothing_happened(&app).await;
    app.post_raw(PATHS[0], &[], padded(max)).await.ok(202);
}
