//! Holds, checkout and limits end to end: real programs, real servers, a client's view.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use serde_json::{Value, json};
use support::{API_KEY, Answer, Client, Stack, eventually};

async fn hold(client: &Client, product: i64, user: &str) -> Answer {
    let body = json!({"productId": product, "quantity": 1, "userId": user});
    client.post("/api/v1/reservations", &[], body).await
}

async fn check_out(client: &Client, id: &str, transaction: &str) -> Answer {
    let body = json!({"reservationId": id, "paymentTransactionId": transaction,
        "paymentMethod": "card", "shippingAddress": {"city": "Bern"}});
    client.post("/api/v1/orders/checkout", &[], body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_paid_and_shipped() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let product = client.add_product("HOLD", 5).await;
    let held = hold(&client, product, "u-1").await;
    assert_eq!((held.status, &held.body["status"]), (201, &json!("RESERVED")), "{held:?}");
    let id = held.text("reservationId");
    let sold = check_out(&client, &id, "t-1").await;
    assert_eq!((sold.status, &sold.body["status"]), (201, &json!("CONFIRMED")), "{sold:?}");
    let key = [("x-api-key", API_KEY)];
    let shipped = client.post(&format!("/api/v1/orders/{id}/fulfil"), &key, json!({})).await;
    assert_eq!((shipped.status, &shipped.body["status"]), (200, &json!("FULFILLED")));
    let shown = client.get(&format!("/api/v1/orders/{id}")).await;
    assert_eq!(shown.body["shippingAddress"], json!({"city": "Bern"}));
    let declined = hold(&client, product, "u-2").await.text("reservationId");
    let declined = check_out(&client, &declined, "decline-1").await;
    assert_eq!((declined.status, declined.code()), (402, "PAYMENT_DECLINED"));
    let stock = client.get(&format!("/api/v1/products/{product}/availability")).await.body;
    assert_eq!((&stock["availableCount"], &stock["soldCount"]), (&json!(4), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_runs_out_goes_back_everywhere() {
    let mut stack = Stack::new().await;
    stack.set("DOORBUSTER__HOLDS__SECONDS", "1");
    let (_one, first) = stack.api().await;
    let (_two, second) = stack.api().await;
    let _workers = [stack.worker(), stack.worker()];
    let product = first.add_product("EXPIRES", 2).await;
    let held = hold(&first, product, "u-1").await;
    assert_eq!(held.status, 201, "{held:?}");
    // The other way in.
    let body = json!({"productId": product, "quantity": 1, "userId": "u-2"});
    let prefer = [("prefer", "respond-async")];
    let accepted = second.post("/api/v1/reservations", &prefer, body).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let outcome = second.outcome(&accepted.text("trackingId")).await;
    // It may be over by the time that a busy machine looks.
    assert!(outcome["expiresAt"].is_string(), "{outcome}");

    for (client, id) in
        [(&second, held.text("reservationId")), (&first, accepted.text("trackingId"))]
    {
        eventually("the hold runs out", async || {
            let shown = client.get(&format!("/api/v1/reservations/{id}")).await;
            (shown.body["status"] == "EXPIRED").then_some(())
        })
        .await;
        let late = check_out(client, &id, "t-1").await;
        assert_eq!((late.status, late.code()), (409, "RESERVATION_EXPIRED"));
    }
    for client in [&first, &second] {
        eventually("everybody hears of it", async || {
            let path = format!("/api/v1/products/{product}/availability");
            (client.get(&path).await.body["availableCount"] == 2).then_some(())
        })
        .await;
    }
    stack.healthy().await;
}

/// 200 attempts of one user for one unit each, over every way in, through two APIs, with Redis
/// emptied half way.
#[tokio::test(flavor = "multi_thread")]
async fn one_to_a_customer_holds_whatever_redis_forgets() {
    let mut stack = Stack::new().await;
    // A busy machine must not refuse what the limit should.
    stack.set("DOORBUSTER__ADMIT__TIMEOUT_MS", "20000");
    stack.set("DOORBUSTER__RABBITMQ__CONFIRM_TIMEOUT_MS", "15000");
    stack.set("DOORBUSTER__SETTLE__TIMEOUT_MS", "20000");
    let (_one, first) = stack.api().await;
    let (_two, second) = stack.api().await;
    let _workers = [stack.worker(), stack.worker()];
    let product = first.add_product("LIMIT", 100).await;
    let key = [("x-api-key", API_KEY)];
    let path = format!("/api/v1/products/{product}");
    let limited = first.try_send("PATCH", &path, &key, Some(json!({"perUserLimit": 1}))).await;
    assert_eq!(limited.unwrap().status, 200);

    let attempts = (0..200).map(async |n| {
        if n == 100 {
            stack.servers.flush_redis().await;
        }
        let client = if n % 2 == 0 { &first } else { &second };
        let body = json!({"productId": product, "quantity": 1, "userId": "greedy"});
        let (path, headers): (_, &[_]) = match n % 4 {
            0 => ("/api/v1/sync/purchase", &[]),
            1 => ("/api/v1/async/purchase", &[]),
            2 => ("/api/v1/reservations", &[]),
            _ => ("/api/v1/reservations", &[("prefer", "respond-async")]),
        };
        let answer = client.post(path, headers, body).await;
        match answer.status {
            202 => client.outcome(&answer.text("trackingId")).await["status"].clone(),
            200 | 201 => answer.body["status"].clone(),
            _ => json!(answer.code()),
        }
    });
    let outcomes: Vec<Value> = futures::future::join_all(attempts).await;
    let is = |outcome: &&Value, what: &[&str]| what.contains(&outcome.as_str().unwrap());
    let got = outcomes.iter().filter(|outcome| is(outcome, &["CONFIRMED", "RESERVED"])).count();
    let refusals = ["REJECTED", "ALREADY_PURCHASED", "ALREADY_RESERVED", "LIMIT_REACHED"];
    let refused = outcomes.iter().filter(|outcome| is(outcome, &refusals)).count();
    assert_eq!((got, refused), (1, 199), "{outcomes:?}");
    let stock = first.get(&format!("/api/v1/sync/stock/{product}")).await;
    assert_eq!(stock.body["stock"], 99);
    stack.healthy().await;
}
