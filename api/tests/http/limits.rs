//! How often a client may ask.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::adapters::family;
use shared::config::AuthMode;
use shared::domain::{IdempotencyKey, RatePolicy, UserId};
use shared::ports::RateAsk;

use crate::support::{Answer, Switches, TestApp, buy_body, turn};

const ASYNC: &str = "/api/v1/async/purchase";
const SYNC: &str = "/api/v1/sync/purchase";
const HOLDS: &str = "/api/v1/reservations";

fn limited(answer: &Answer, limit: &str) {
    let problem = answer.problem(429, "RATE_LIMITED");
    assert_eq!(problem["details"]["limit"], limit);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(answer.header("ratelimit").starts_with(&format!("\"{limit}\";r=0;t=")), "{answer:?}");
}

#[tokio::test]
async fn one_user_cannot_buy_faster_than_the_limit() {
    let app = TestApp::with(9, |config| config.limits.per_user_per_second = 3).await;
    let first = app.post(ASYNC, &buy_body("u-1", 1)).await;
    first.ok(202);
    assert_eq!(first.header("ratelimit-policy"), "\"purchases\";q=3;w=1");
    assert!(first.header("ratelimit").starts_with("\"purchases\";r=2;t="), "{first:?}");
    app.post(SYNC, &buy_body("u-1", 1)).await.ok(200);
    app.post(HOLDS, &buy_body("u-1", 1)).await.ok(201);
    for (path, body) in [("/api/buy/1", json!({"userId": "u-1"})), (ASYNC, buy_body("u-1", 1))] {
        limited(&app.post(path, &body).await, "purchases");
    }
    // Others are not concerned, nor is anything but buying.
    app.post(ASYNC, &buy_body("u-2", 1)).await.ok(202);
    app.get("/api/v1/orders?userId=u-1").await.ok(200);
}

#[tokio::test]
async fn five_a_second_is_the_default() {
    let app = TestApp::with(9, |config| {
        let default: shared::config::Config = toml::from_str(shared::config::DEFAULT_TOML).unwrap();
        config.limits = default.limits;
    })
    .await;
    let answer = app.post(ASYNC, &buy_body("u-1", 1)).await;
    answer.ok(202);
    assert_eq!(answer.header("ratelimit-policy"), "\"purchases\";q=5;w=1");
}

#[tokio::test]
async fn a_limit_that_is_off_says_nothing() {
    let app = TestApp::start(9).await;
    let answer = app.post(ASYNC, &buy_body("u-1", 1)).await;
    answer.ok(202);
    assert!(answer.header("ratelimit").is_empty() && answer.header("ratelimit-policy").is_empty());
}

#[tokio::test]
async fn who_is_refused_by_a_rule_costs_nobody_else_a_look() {
    let app = TestApp::with(1, |config| config.limits.per_user_per_second = 2).await;
    app.post(SYNC, &buy_body("u-0", 1)).await.ok(200);
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(app.post(ASYNC, &buy_body("u-1", 1)).await);
    }
    answers[0].problem(409, "OUT_OF_STOCK");
    answers[1].problem(409, "OUT_OF_STOCK");
    limited(&answers[2], "purchases");
}

#[tokio::test]
async fn holds_that_are_let_go_again_and_again_are_limited_and_paid_ones_are_not() {
    let app = TestApp::with(99, |config| config.limits.unpaid_holds_per_hour = 2).await;
    let hold = async |user: &str| app.post(HOLDS, &buy_body(user, 1)).await;
    let let_go = async |held: &Value| {
        let path = format!("{HOLDS}/{}", held["reservationId"].as_str().unwrap());
        app.send("DELETE", &path, &[], "").await.ok(200);
    };
    // Whoever pays may go on.
    for n in 0..4 {
        let held = hold("ann").await.ok(201);
        let pay = json!({"reservationId": held["reservationId"], "paymentTransactionId": format!("t-{n}")});
        app.post("/api/v1/orders/checkout", &pay).await.ok(201);
        // The same checkout again gives nothing more back.
        app.post("/api/v1/orders/checkout", &pay).await;
    }
    for _ in 0..2 {
        let_go(&hold("ann").await.ok(201)).await;
    }
    limited(&hold("ann").await, "holds");
    app.post(SYNC, &buy_body("ann", 1)).await.ok(200);
    hold("bob").await.ok(201);
    // What is refused keeps nobody from buying, and does not count.
    let all = json!({"productId": 1, "quantity": 100, "userId": "cid"});
    for _ in 0..5 {
        app.post(HOLDS, &all).await.problem(409, "OUT_OF_STOCK");
    }
    hold("cid").await.ok(201);
}

#[tokio::test]
async fn sign_ins_are_limited_by_name_and_by_address() {
    let app = TestApp::with(1, |config| {
        config.limits.sign_ins_per_minute = 3;
        // Such a shop is ready once it has the keys of its tokens.
        config.auth.mode = AuthMode::Jwt;
    })
    .await;
    let login = async |user: &str, from: &str| {
        let body = json!({"userId": user, "password": "wrong horse battery"});
        let headers = [("x-forwarded-for", from)];
        app.post_with("/api/v1/auth/login", &headers, &body).await
    };
    // Without a proxy that is trusted a client's word on its address is nothing.
    for n in 0..3 {
        login(&format!("u-{n}"), &format!("192.0.2.{n}")).await.problem(401, "UNAUTHENTICATED");
    }
    limited(&login("u-9", "192.0.2.9").await, "sign-ins");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_has_its_own_limit() {
    let app = TestApp::with(1, |config| {
        config.auth.mode = AuthMode::Jwt;
        config.limits.sign_ins_per_minute = 1;
        config.limits.per_ip_per_second = 4;
        config.http.trusted_proxies = "127.0.0.0/8".to_owned().try_into().unwrap();
    })
    .await;
    let login = async |user: &str, from: &str| {
        let body = json!({"userId": user, "password": "wrong horse battery"});
        let headers = [("x-forwarded-for", from)];
        app.post_with("/api/v1/auth/login", &headers, &body).await
    };
    // One name from many addresses: ten times as often as one address may try.
    for n in 0..10 {
        login("zoe", &format!("192.0.2.{n}")).await.problem(401, "UNAUTHENTICATED");
    }
    limited(&login("zoe", "192.0.2.77").await, "sign-ins");
    login("ann", "192.0.2.78").await.problem(401, "UNAUTHENTICATED");
    // Any request from one address.
    let mut seen = Vec::new();
    for _ in 0..8 {
        seen.push(app.get_with("/livez", &[("x-forwarded-for", "198.51.100.1")]).await);
    }
    limited(seen.iter().find(|answer| answer.status == 429).unwrap(), "requests");
    // Also for what is not there.
    let mut astray = Vec::new();
    for _ in 0..8 {
        astray.push(app.get_with("/nowhere", &[("x-forwarded-for", "198.51.100.9")]).await);
    }
    limited(astray.iter().find(|answer| answer.status == 429).unwrap(), "requests");
    assert_eq!(app.get_with("/livez", &[("x-forwarded-for", "198.51.100.2")]).await.status, 200);
    // The address is what the audit log names.
    let log = app.operate("GET", "/api/v1/admin/audit-log?actor=user:ann", &Value::Null).await;
    assert_eq!(log.ok(200)["entries"][0]["origin"], "192.0.2.78");
}

#[tokio::test]
async fn who_was_let_through_by_other_instances_is_limited_here_and_not_remembered() {
    let ports = family::embedded();
    let (rates, map) = (Arc::clone(&ports.rates), Arc::clone(&ports.idempotency));
    let app = TestApp::over(ports, 9, |config| config.limits.per_user_per_second = 2).await;
    // Elsewhere ann has bought for an hour ahead.
    let hourly = RatePolicy::per(NonZeroU32::MIN, Duration::from_secs(3_600));
    rates.take(&[RateAsk::new("purchases", "ann", hourly)]).await.unwrap();
    for path in [ASYNC, SYNC] {
        let key = [("idempotency-key", "k")];
        limited(&app.post_with(path, &key, &buy_body("ann", 1)).await, "purchases");
        app.post_with(path, &key, &buy_body("bob", 1)).await;
    }
    // A refusal that stayed remembered would be an accepted purchase to whoever tries again.
    let key = |user| (UserId::parse(user).unwrap(), IdempotencyKey::parse("k").unwrap());
    let remembered = map.recall(&[key("ann"), key("bob")]).await.unwrap();
    assert!(remembered[0].is_none() && remembered[1].is_some(), "{remembered:?}");
}

#[tokio::test]
async fn without_redis_each_instance_counts_for_itself() {
    let switches = Switches::default();
    let ports = switches.before(family::embedded());
    let app = TestApp::over(ports, 9, |config| config.limits.per_user_per_second = 2).await;
    turn(&switches.redis_away);
    app.post(ASYNC, &buy_body("u-1", 1)).await.ok(202);
    app.post(ASYNC, &buy_body("u-1", 1)).await.ok(202);
    limited(&app.post(ASYNC, &buy_body("u-1", 1)).await, "purchases");
}
