//! Who may do what, on real servers: accounts and keys that every instance knows, and limits that all
//! instances share.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use serde_json::{Value, json};
use support::{Answer, Client, Stack, eventually};

const PASSWORD: &str = "correct horse battery";

async fn stack() -> Stack {
    let mut stack = Stack::new().await;
    stack.set("DOORBUSTER__AUTH__MODE", "jwt");
    stack
}

async fn as_user(client: &Client, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    client.try_send(method, path, &headers, Some(body)).await.unwrap()
}

/// Logs in as soon as tokens can be signed.
async fn login(client: &Client, user: &str) -> String {
    let body = json!({"userId": user, "password": PASSWORD});
    eventually("a login", async || {
        let answer = client.post("/api/v1/auth/login", &[], body.clone()).await;
        (answer.status == 200).then(|| answer.text("accessToken"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_account_and_a_services_key_count_on_every_instance() {
    let stack = stack().await;
    let (status, _) = stack.command_with(&["users", "add", "zoe", "--json"], PASSWORD);
    assert!(status, "an account is added");
    assert!(!stack.command_with(&["users", "add", "zoe"], PASSWORD).0, "not twice");
    assert!(!stack.command_with(&["users", "add", "eve"], "short").0, "not with such a password");
    let create = ["keys", "create", "warehouse", "--scope", "products", "--json"];
    let (_, key) = stack.command_with(&create, "");
    let key = key["key"].as_str().unwrap().to_owned();

    let (_first, one) = stack.api().await;
    let (_second, two) = stack.api().await;
    let token = login(&one, "zoe").await;
    let audit_log = "/api/v1/admin/audit-log";
    let entries = as_user(&two, &token, "GET", audit_log, Value::Null).await;
    assert_eq!(entries.status, 200, "{entries:?}");
    let new = json!({"sku": "TV", "name": "TV", "basePrice": "9.99", "currency": "EUR", "totalInventory": 5});
    let made = two.post("/api/v1/products", &[("x-api-key", &key)], new).await;
    assert_eq!(made.status, 201, "{made:?}");
    let log =
        as_user(&one, &token, "GET", &format!("{audit_log}?actor=service:warehouse"), Value::Null)
            .await;
    assert_eq!(log.body["entries"][0]["action"], "product.create");
    assert_eq!(log.body["entries"][0]["origin"], "127.0.0.1");
    let refused = two.try_send("GET", audit_log, &[("x-api-key", &key)], None).await.unwrap();
    assert_eq!((refused.status, refused.code()), (403, "FORBIDDEN"));

    // What is revoked and disabled counts nowhere, soon.
    assert!(stack.command_with(&["keys", "revoke", "warehouse"], "").0);
    assert!(!stack.command_with(&["keys", "revoke", "warehouse"], "").0, "not twice");
    for client in [&one, &two] {
        eventually("the key is refused", async || {
            let answer = client.try_send("GET", "/livez", &[("x-api-key", &key)], None).await?;
            (answer.status == 401).then_some(())
        })
        .await;
    }
    let (_, keys) = stack.command_with(&["keys", "list", "--json"], "");
    assert!(keys["keys"][0]["revokedAt"].is_string(), "{keys}");
    assert!(stack.command_with(&["users", "disable", "zoe"], "").0);
    let body = json!({"userId": "zoe", "password": PASSWORD});
    assert_eq!(two.post("/api/v1/auth/login", &[], body).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_keys_are_rotated_without_anybody_being_logged_out() {
    let stack = stack().await;
    let (_first, one) = stack.api().await;
    let register = json!({"userId": "ann", "password": PASSWORD});
    eventually("an account", async || {
        let answer = one.post("/api/v1/auth/register", &[], register.clone()).await;
        matches!(answer.status, 201 | 409).then_some(())
    })
    .await;
    let before = login(&one, "ann").await;
    let (rotated, key) = stack.command_with(&["keys", "rotate", "--json"], "");
    assert!(rotated && key["overlapSeconds"].as_u64().unwrap() > 900, "{key}");
    // An instance that starts now knows both, and signs with the one that all others know.
    let (_second, two) = stack.api().await;
    let after = login(&two, "ann").await;
    for client in [&one, &two] {
        for token in [&before, &after] {
            let mine = as_user(client, token, "GET", "/api/v1/orders", Value::Null).await;
            assert_eq!(mine.status, 200, "{mine:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_over_all_instances() {
    let mut stack = Stack::new().await;
    stack.set("DOORBUSTER__LIMITS__UNPAID_HOLDS_PER_HOUR", "6");
    let (_first, one) = stack.api().await;
    let (_second, two) = stack.api().await;
    let product = one.add_product("LIMITED", 99).await;
    let mut allowed = 0;
    for n in 0..20 {
        let client = if n % 2 == 0 { &one } else { &two };
        let body = json!({"productId": product, "quantity": 1, "userId": "ann"});
        let held = client.post("/api/v1/reservations", &[], body).await;
        if held.status == 429 {
            assert_eq!(held.code(), "RATE_LIMITED", "{held:?}");
            continue;
        }
        assert_eq!(held.status, 201, "{held:?}");
        allowed += 1;
        let path = format!("/api/v1/reservations/{}", held.text("reservationId"));
        assert_eq!(client.try_send("DELETE", &path, &[], None).await.unwrap().status, 200);
    }
    assert_eq!(allowed, 6, "six in all, not six on each");
}
