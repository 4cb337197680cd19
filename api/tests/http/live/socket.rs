//! `GET /ws`: what is watched, and who may see it.

use serde_json::{Value, json};
use shared::config::AuthMode;
use shared::domain::Role;
use shared::domain::testing::id;

use crate::support::{Socket, TestApp, buy_body};

async fn buy(app: &TestApp) {
    app.post("/api/v1/sync/purchase", &buy_body("u-1", 1)).await.ok(200);
}

/// The code of the error that answers what was asked as `id`.
async fn refusal(socket: &mut Socket, id: &str) -> Value {
    let answer = socket.hear().await;
    assert_eq!(
        (&answer["v"], &answer["event"], &answer["id"]),
        (&1.into(), &"error".into(), &id.into())
    );
    assert!(answer["data"]["message"].is_string());
    answer["data"]["code"].clone()
}

#[tokio::test]
async fn stock_is_told_now_and_at_every_change_until_it_is_unwatched() {
    let app = TestApp::start(5).await;
    let mut socket = app.socket(&[]).await;
    socket.ask("inventory:watch", json!({"sku": "SKU-1"}), "a").await;
    let mut first = socket.hear().await;
    first["data"].as_object_mut().unwrap().remove("asOf").unwrap();
    let expected = json!({"v": 1, "event": "inventory:update", "id": "a", "data": {
        "productId": 1, "skuId": "SKU-1", "availableCount": 5, "reservedCount": 0,
        "soldCount": 0, "totalInventory": 5, "isAvailable": true, "version": 1,
    }});
    assert_eq!(first, expected);
    buy(&app).await;
    let second = socket.hear().await;
    assert_eq!((&second["data"]["soldCount"], &second["id"]), (&1.into(), &Value::Null));
    // Watched anew, it begins anew.
    socket.ask("inventory:watch", json!({"productId": 1}), "b").await;
    let again = socket.hear().await;
    assert_eq!((&again["data"]["version"], &again["id"]), (&2.into(), &"b".into()));
    socket.ask("inventory:unwatch", json!({"productId": 1}), "c").await;
    let unwatched =
        json!({"v": 1, "event": "inventory:unwatched", "id": "c", "data": {"productId": 1}});
    assert_eq!(socket.hear().await, unwatched);
    buy(&app).await;
    socket.ask("inventory:watch", json!({"productId": 1}), "d").await;
    assert_eq!(socket.hear().await["id"], "d");
}

#[tokio::test]
async fn a_purchase_is_told_now_and_at_every_change() {
    let app = TestApp::start(2).await;
    let accepted = app.post("/api/v1/async/purchase", &buy_body("u-1", 1)).await.ok(202);
    let tracking = json!({"trackingId": accepted["trackingId"]});
    let mut socket = app.socket(&[]).await;
    socket.ask("purchase:watch", tracking.clone(), "a").await;
    let first = socket.hear().await;
    assert_eq!((&first["event"], &first["id"]), (&"order:update".into(), &"a".into()));
    assert_eq!(first["data"]["status"], "QUEUED");
    app.work();
    assert_eq!(socket.hear().await["data"]["status"], "CONFIRMED");
    // Sold is not the end of it.
    let path = format!("/api/v1/orders/{}/cancel", accepted["trackingId"].as_str().unwrap());
    app.operate("POST", &path, &json!({})).await.ok(200);
    assert_eq!(socket.hear().await["data"]["status"], "CANCELLED");
    socket.ask("purchase:unwatch", tracking, "b").await;
    assert_eq!(socket.hear().await["event"], "purchase:unwatched");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_and_ends_nothing() {
    let app = TestApp::with(2, |config| config.live.watches_max = 1.try_into().unwrap()).await;
    let mut socket = app.socket(&[]).await;
    socket.ask("queue:dance", json!({"saleId": 1}), "a").await;
    assert_eq!(refusal(&mut socket, "a").await, "UNKNOWN_EVENT");
    socket.ask("inventory:watch", json!({"productId": 9}), "b").await;
    assert_eq!(refusal(&mut socket, "b").await, "PRODUCT_NOT_FOUND");
    socket.ask("purchase:watch", json!({"trackingId": id(7).to_string()}), "c").await;
    assert_eq!(refusal(&mut socket, "c").await, "PURCHASE_NOT_FOUND");
    socket.ask("purchase:watch", json!({"trackingId": 7}), "d").await;
    assert_eq!(refusal(&mut socket, "d").await, "INVALID_REQUEST");
    socket.send("{").await;
    assert_eq!(socket.hear().await["data"]["code"], "INVALID_REQUEST");
    socket.send(r#"{"v":3,"event":"inventory:watch","data":{"productId":1},"id":"e"}"#).await;
    assert_eq!(refusal(&mut socket, "e").await, "UNSUPPORTED_VERSION");
    socket.ask("inventory:watch", json!({"productId": 1}), "f").await;
    assert_eq!(socket.hear().await["event"], "inventory:update");
    let held = app.post("/api/v1/reservations", &buy_body("u-1", 1)).await.ok(201);
    assert_eq!(socket.hear().await["data"]["reservedCount"], 1);
    let more = json!({"trackingId": held["reservationId"]});
    socket.ask("purchase:watch", more.clone(), "g").await;
    assert_eq!(refusal(&mut socket, "g").await, "TOO_MANY_WATCHES");
    socket.ask("inventory:unwatch", json!({"productId": 1}), "h").await;
    assert_eq!(socket.hear().await["event"], "inventory:unwatched");
    socket.ask("purchase:watch", more, "i").await;
    assert_eq!(socket.hear().await["data"]["status"], "RESERVED");
}

#[tokio::test]
async fn strangers_are_not_told_who_buys() {
    let app = TestApp::with(5, |config| config.auth.mode = AuthMode::Jwt).await;
    let token = app.token("ann", Role::Customer).await;
    let bearer = format!("Bearer {token}");
    let body = json!({"productId": 1, "quantity": 1});
    let sold = app.post_with("/api/v1/sync/purchase", &[("authorization", &bearer)], &body).await;
    let tracking = json!({"trackingId": sold.ok(200)["orderId"]});
    // Programs set a header; pages can only name protocols.
    let offer = format!("doorbuster.v1, doorbuster.bearer.{token}");
    let other = app.token("eve", Role::Customer).await;
    let others = format!("doorbuster.v1, doorbuster.bearer.{other}");
    let cases: [(&[(&'static str, &str)], Value); 4] = [
        (&[("authorization", &bearer)], "ann".into()),
        (&[("sec-websocket-protocol", &offer)], "ann".into()),
        (&[("sec-websocket-protocol", &others)], Value::Null),
        (&[], Value::Null),
    ];
    for (headers, user) in cases {
        let mut socket = app.socket(headers).await;
        socket.ask("purchase:watch", tracking.clone(), "a").await;
        let told = socket.hear().await;
        assert_eq!(
            (&told["data"]["status"], &told["data"]["userId"]),
            (&"CONFIRMED".into(), &user)
        );
    }
}

#[tokio::test]
async fn the_handshake_answers_with_the_protocol_and_refuses_what_is_wrong() {
    let app = TestApp::with(5, |config| {
        config.auth.mode = AuthMode::Jwt;
        config.http.cors_origins = "https://shop.example".to_owned().try_into().unwrap();
    })
    .await;
    let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let version = ("sec-websocket-version", "13");
    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket"), key, version];
    let ask = async |more: &[(&str, &str)]| app.get_with("/ws", &[&upgrade, more].concat()).await;
    let token =
        format!("doorbuster.v1, doorbuster.bearer.{}", app.token("ann", Role::Customer).await);
    let answer = ask(&[("sec-websocket-protocol", &token)]).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(answer.header("sec-websocket-protocol"), "doorbuster.v1");
    // Credentials that are there must be right, and are there once.
    let forged = ask(&[("sec-websocket-protocol", "doorbuster.v1, doorbuster.bearer.a.b.c")]).await;
    forged.problem(401, "UNAUTHENTICATED");
    ask(&[("authorization", "Bearer a.b.c")]).await.problem(401, "UNAUTHENTICATED");
    let twice = ask(&[("sec-websocket-protocol", &token), ("x-api-key", "k")]).await;
    twice.problem(401, "UNAUTHENTICATED");
    // Pages: of this host and of the list.
    for (origin, status) in [("http://test", 101), ("https://shop.example", 101), ("null", 403)] {
        assert_eq!(ask(&[("origin", origin)]).await.status, status, "{origin}");
    }
    ask(&[("origin", "https://evil.example")]).await.problem(403, "FORBIDDEN");
    // No handshake at all.
    let plain = app.get("/ws").await;
    plain.problem(426, "UPGRADE_REQUIRED");
    assert_eq!((plain.header("upgrade"), plain.header("connection")), ("websocket", "upgrade"));
    let old = [upgrade[0], upgrade[1], key, ("sec-websocket-version", "8")];
    let old = app.get_with("/ws", &old).await;
    old.problem(400, "INVALID_REQUEST");
    assert_eq!(old.header("sec-websocket-version"), "13");
    app.post("/ws", &json!({})).await.problem(405, "METHOD_NOT_ALLOWED");
}
