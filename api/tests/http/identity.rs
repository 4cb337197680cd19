//! Accounts and sessions, and whose things are whose.

use api::identity::tokens::{Claims, sign};
use futures::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, decode_header, get_current_timestamp};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::config::{AuthMode, TokenAlgorithm};
use shared::domain::testing::tester;
use shared::domain::{Role, Scope, UserId};
use shared::ports::SigningKey;
use shared::testing::eventually;

use crate::support::{API_KEY, Answer, TestApp, buy_body};

const AUTH: &str = "/api/v1/auth";
const PASSWORD: &str = "correct horse battery";
const ALGORITHMS: [TokenAlgorithm; 2] = [TokenAlgorithm::Hs256, TokenAlgorithm::EdDsa];

impl TestApp {
    /// An API whose users have tokens.
    async fn with_tokens(units: i64) -> Self {
        Self::with_tokens_of(TokenAlgorithm::Hs256, units).await
    }

    /// The same, with tokens of this algorithm.
    async fn with_tokens_of(algorithm: TokenAlgorithm, units: i64) -> Self {
        let app = Self::with(units, |config| {
            config.auth.mode = AuthMode::Jwt;
            config.auth.algorithm = algorithm;
        })
        .await;
        app.work();
        app
    }

    /// The key that the API signs with.
    async fn signing_key(&self) -> SigningKey {
        eventually("a signing key", async || {
            self.ports.identities.signing_keys().await.unwrap().into_iter().next()
        })
        .await
    }

    /// An access token as the API would sign it, known to it.
    pub(crate) async fn token(&self, user: &str, role: Role) -> String {
        let key = self.signing_key().await;
        let now = get_current_timestamp();
        let claims = Claims {
            iss: "doorbuster".into(),
            aud: vec!["doorbuster".into()],
            sub: user.into(),
            iat: now,
            nbf: now,
            exp: now + 600,
            jti: "1".into(),
            sid: None,
            role: Some(role.as_str().into()),
        };
        let secret = key.secret.expose_secret();
        let (algorithm, secret) = match key.algorithm.as_str() {
            "EdDSA" => (Algorithm::EdDSA, EncodingKey::from_ed_der(secret)),
            _ => (Algorithm::HS256, EncodingKey::from_secret(secret)),
        };
        let token = sign(&claims, &key.kid, algorithm, &secret).unwrap();
        eventually("the key is known", async || {
            let bearer = format!("Bearer {token}");
            let answer = self.get_with("/livez", &[("authorization", &bearer)]).await;
            (answer.status == 200).then_some(())
        })
        .await;
        token
    }

    pub(crate) async fn auth(&self, action: &str, body: &Value) -> Answer {
        self.post(&format!("{AUTH}/{action}"), body).await
    }

    pub(crate) async fn as_user(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &headers, body).await
    }

    async fn logged(&self, actor: &str) -> Vec<String> {
        let path = format!("/api/v1/admin/audit-log?actor={actor}");
        let log = self.operate("GET", &path, &Value::Null).await.ok(200);
        let entries = log["entries"].as_array().unwrap().iter();
        entries.map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn credentials(user: &str) -> Value {
    json!({"userId": user, "password": PASSWORD})
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_customer_registers_buys_refreshes_and_leaves() {
    join_all(ALGORITHMS.map(registers_buys_refreshes_and_leaves)).await;
}

async fn registers_buys_refreshes_and_leaves(algorithm: TokenAlgorithm) {
    let app = TestApp::with_tokens_of(algorithm, 5).await;
    app.signing_key().await;
    let tokens = eventually("tokens are signed", async || {
        let answer = app.auth("register", &credentials("zoe")).await;
        match answer.status {
            201 => Some(answer.ok(201)),
            409 => Some(app.auth("login", &credentials("zoe")).await.ok(200)),
            503 => None,
            _ => panic!("{answer:?}"),
        }
    })
    .await;
    assert_eq!(
        (&tokens["tokenType"], &tokens["userId"], &tokens["role"]),
        (&"Bearer".into(), &"zoe".into(), &"customer".into())
    );
    assert_eq!(
        (&tokens["expiresIn"], &tokens["refreshExpiresIn"]),
        (&900.into(), &2_592_000.into())
    );
    let access = text(&tokens["accessToken"]);
    assert_eq!(format!("{:?}", decode_header(access).unwrap().alg), algorithm.as_str());
    let buy = json!({"productId": 1, "quantity": 1});
    let sold = app.as_user(access, "POST", "/api/v1/sync/purchase", &buy).await.ok(200);
    assert_eq!(sold["userId"], "zoe");
    let next = app.auth("refresh", &json!({"refreshToken": tokens["refreshToken"]})).await.ok(200);
    assert_ne!(next["refreshToken"], tokens["refreshToken"]);
    let refresh = json!({"refreshToken": next["refreshToken"]});
    assert_eq!(app.auth("logout", &refresh).await.status, 204);
    app.auth("refresh", &refresh).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(app.auth("logout", &refresh).await.status, 204);
    let log = app.logged("user:zoe").await;
    assert_eq!(log[..2], ["account.register", "session.begin"]);
    assert_eq!(log.last().unwrap(), "session.end");
}

#[tokio::test]
async fn a_stolen_refresh_token_ends_the_session_for_both() {
    let app = TestApp::with_tokens(5).await;
    app.token("warm", Role::Customer).await;
    let tokens = app.auth("register", &credentials("zoe")).await.ok(201);
    let stolen = json!({"refreshToken": tokens["refreshToken"]});
    let thief = app.auth("refresh", &stolen).await.ok(200);
    let problem = app.auth("refresh", &stolen).await.problem(401, "UNAUTHENTICATED");
    assert!(text(&problem["detail"]).contains("used before"), "{problem}");
    let thief = json!({"refreshToken": thief["refreshToken"]});
    app.auth("refresh", &thief).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(app.logged("user:zoe").await.last().unwrap(), "session.reuse");
    app.auth("login", &credentials("zoe")).await.ok(200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_the_same() {
    let app = TestApp::with_tokens(5).await;
    app.token("warm", Role::Customer).await;
    app.auth("register", &credentials("zoe")).await.ok(201);
    app.auth("register", &credentials("zoe")).await.problem(409, "USER_TAKEN");
    let wrong = json!({"userId": "zoe", "password": "wrong horse"});
    let wrong = app.auth("login", &wrong).await.problem(401, "UNAUTHENTICATED");
    let unknown = app.auth("login", &credentials("eve")).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(wrong["detail"], unknown["detail"]);
    assert_eq!(app.logged("user:eve").await, ["session.refuse"]);
    app.ports.identities.disable(&UserId::parse("zoe").unwrap(), true, &tester()).await.unwrap();
    let disabled = app.auth("login", &credentials("zoe")).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(wrong["detail"], disabled["detail"]);
}

#[tokio::test]
async fn credentials_that_cannot_be_are_refused_field_by_field() {
    let app = TestApp::with_tokens(5).await;
    for action in ["register", "login"] {
        app.auth(action, &json!({})).await.faults(&["userId", "password"]);
        let short = json!({"userId": "a\u{0}b", "password": "seven77"});
        app.auth(action, &short).await.faults(&["userId", "password"]);
        let long = json!({"userId": 7, "password": "é".repeat(129)});
        app.auth(action, &long).await.faults(&["userId", "password"]);
    }
    for action in ["refresh", "logout"] {
        app.auth(action, &json!({})).await.faults(&["refreshToken"]);
        app.auth(action, &json!({"refreshToken": "x".repeat(129)})).await.faults(&["refreshToken"]);
    }
    app.auth("refresh", &json!({"refreshToken": "made up"})).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_person_buys_for_nobody_else() {
    let app = TestApp::with_tokens(9).await;
    let ann = app.token("ann", Role::Customer).await;
    let zoe = app.token("zoe", Role::Operator).await;
    for (path, body) in [
        ("/api/v1/async/purchase", buy_body("bob", 1)),
        ("/api/v1/sync/purchase", buy_body("bob", 1)),
        ("/api/v1/orders", buy_body("bob", 1)),
        ("/api/v1/reservations", buy_body("bob", 1)),
        ("/api/buy/1", json!({"userId": "bob"})),
    ] {
        for token in [&ann, &zoe] {
            app.as_user(token, "POST", path, &body).await.problem(403, "FORBIDDEN");
        }
    }
    assert_eq!(app.available().await, 9);
    let own = app.as_user(&ann, "POST", "/api/v1/sync/purchase", &buy_body("ann", 1)).await;
    assert_eq!(own.ok(200)["userId"], "ann");
    // Without a name the token says it.
    let sold = app.as_user(&ann, "POST", "/api/buy/1", &Value::Null).await.ok(200);
    assert_eq!(sold["userId"], "ann");
    // A service buys for whom it says, and must say it.
    let key = app.service_key("kiosk", &[Scope::Purchases]).await;
    let headers = [("x-api-key", key.as_str())];
    let sold = app.post_with("/api/v1/sync/purchase", &headers, &buy_body("bob", 1)).await.ok(200);
    assert_eq!(sold["userId"], "bob");
    let nobody = json!({"productId": 1, "quantity": 1});
    app.post_with("/api/v1/sync/purchase", &headers, &nobody).await.faults(&["userId"]);
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    let app = TestApp::with_tokens(9).await;
    let ann = app.token("ann", Role::Customer).await;
    let bob = app.token("bob", Role::Customer).await;
    let zoe = app.token("zoe", Role::Operator).await;
    let one = json!({"productId": 1, "quantity": 1});
    let order = app.as_user(&ann, "POST", "/api/v1/orders", &one).await.ok(201);
    let held = app.as_user(&bob, "POST", "/api/v1/reservations", &one).await.ok(201);
    let order = format!("/api/v1/orders/{}", text(&order["orderId"]));
    let hold = format!("/api/v1/reservations/{}", text(&held["reservationId"]));
    let get = async |token: &str, path: &str| app.as_user(token, "GET", path, &Value::Null).await;

    get(&bob, &order).await.problem(404, "ORDER_NOT_FOUND");
    get(&ann, &hold).await.problem(404, "RESERVATION_NOT_FOUND");
    let cancel = format!("{order}/cancel");
    app.as_user(&bob, "POST", &cancel, &Value::Null).await.problem(404, "ORDER_NOT_FOUND");
    app.as_user(&ann, "DELETE", &hold, &Value::Null).await.problem(404, "RESERVATION_NOT_FOUND");
    let pay = json!({"reservationId": held["reservationId"], "paymentTransactionId": "t-1"});
    let checkout = "/api/v1/orders/checkout";
    app.as_user(&ann, "POST", checkout, &pay).await.problem(404, "RESERVATION_NOT_FOUND");
    get(&bob, "/api/v1/orders?userId=ann").await.problem(403, "FORBIDDEN");
    get(&bob, "/api/v1/orders/user/ann").await.problem(403, "FORBIDDEN");
    app.as_user(&bob, "POST", &format!("{order}/fulfil"), &Value::Null)
        .await
        .problem(403, "FORBIDDEN");

    // To whom they belong, and to operators, they are.
    assert_eq!(get(&ann, &order).await.ok(200)["userId"], "ann");
    assert_eq!(get(&zoe, &order).await.ok(200)["userId"], "ann");
    assert_eq!(get(&bob, &hold).await.ok(200)["userId"], "bob");
    assert_eq!(get(&ann, "/api/v1/orders").await.ok(200)["orders"].as_array().unwrap().len(), 1);
    assert_eq!(
        get(&zoe, "/api/v1/orders/user/ann").await.ok(200)["orders"].as_array().unwrap().len(),
        1
    );
    get(&zoe, "/api/v1/orders").await.faults(&["userId"]);
    app.as_user(&bob, "POST", checkout, &pay).await.ok(201);
    app.as_user(&zoe, "POST", &format!("{order}/fulfil"), &Value::Null).await.ok(200);
    // At the counter an operator checks out what a buyer holds.
    let held = app.as_user(&bob, "POST", "/api/v1/reservations", &one).await.ok(201);
    let paid = json!({"reservationId": held["reservationId"], "paymentTransactionId": "t-2", "paymentMethod": "cash"});
    app.as_user(&zoe, "POST", checkout, &paid).await.ok(201);
    assert_eq!(app.logged("user:zoe").await, ["order.fulfil", "order.check-out"]);
    assert!(app.logged("user:bob").await.is_empty(), "who minds their own is not in the log");
}

#[tokio::test]
async fn a_customer_sees_the_own_hold_before_it_is_settled() {
    let app = TestApp::with(5, |config| config.auth.mode = AuthMode::Jwt).await;
    let ann = app.token("ann", Role::Customer).await;
    let bearer = format!("Bearer {ann}");
    let headers = [("authorization", bearer.as_str()), ("prefer", "respond-async")];
    let one = json!({"productId": 1, "quantity": 1});
    let accepted = app.post_with("/api/v1/reservations", &headers, &one).await.ok(202);
    let path = format!("/api/v1/reservations/{}", text(&accepted["trackingId"]));
    let queued = app.as_user(&ann, "GET", &path, &Value::Null).await.ok(200);
    assert_eq!((&queued["status"], &queued["userId"]), (&"QUEUED".into(), &Value::Null));
}

#[tokio::test]
async fn a_tracking_id_is_followed_by_anybody_without_the_buyers_name() {
    let app = TestApp::with_tokens(9).await;
    let ann = app.token("ann", Role::Customer).await;
    let bob = app.token("bob", Role::Customer).await;
    let zoe = app.token("zoe", Role::Operator).await;
    let one = json!({"productId": 1, "quantity": 1});
    let accepted = app.as_user(&ann, "POST", "/api/v1/async/purchase", &one).await.ok(202);
    assert_eq!(accepted["userId"], "ann");
    let path = format!("/api/v1/purchases/{}?wait=20", text(&accepted["trackingId"]));
    let stranger = app.get(&path).await.ok(200);
    assert_eq!((&stranger["status"], &stranger["userId"]), (&"CONFIRMED".into(), &Value::Null));
    for (token, named) in [(&ann, json!("ann")), (&bob, Value::Null), (&zoe, json!("ann"))] {
        let seen = app.as_user(token, "GET", &path, &Value::Null).await.ok(200);
        assert_eq!(seen["userId"], named);
    }
    let many = json!({"trackingIds": [accepted["trackingId"]]});
    let query = "/api/v1/purchases/query";
    assert_eq!(app.post(query, &many).await.ok(200)["purchases"][0]["userId"], Value::Null);
    let own = app.as_user(&ann, "POST", query, &many).await.ok(200);
    assert_eq!(own["purchases"][0]["userId"], "ann");
}

#[tokio::test]
async fn a_new_signing_key_takes_over_and_the_old_one_counts_meanwhile() {
    join_all(ALGORITHMS.map(a_new_key_takes_over)).await;
}

async fn a_new_key_takes_over(algorithm: TokenAlgorithm) {
    let app = TestApp::with_tokens_of(algorithm, 5).await;
    let old = app.token("ann", Role::Customer).await;
    let first = app.signing_key().await;
    let next = api::identity::keys::generate(algorithm).unwrap();
    app.ports.identities.add_signing_key(&next, false, 3_600, &tester()).await.unwrap();
    // Signed with the new one, which is believed as soon as it is read.
    let new = app.token("ann", Role::Customer).await;
    for token in [&old, &new] {
        let bearer = format!("Bearer {token}");
        assert_eq!(app.get_with("/livez", &[("authorization", &bearer)]).await.status, 200);
    }
    // One that retires at once is not.
    let third = api::identity::keys::generate(algorithm).unwrap();
    app.ports.identities.add_signing_key(&third, false, 0, &tester()).await.unwrap();
    eventually("the second key has retired", async || {
        let bearer = format!("Bearer {new}");
        let answer = app.get_with("/livez", &[("authorization", &bearer)]).await;
        (answer.status == 401).then_some(())
    })
    .await;
    let bearer = format!("Bearer {old}");
    assert_eq!(app.get_with("/livez", &[("authorization", &bearer)]).await.status, 200);
    assert_ne!(first.kid, app.signing_key().await.kid);
}

#[tokio::test]
async fn where_users_are_believed_a_token_still_says_who_it_is() {
    let app = TestApp::start(5).await;
    let ann = app.token("ann", Role::Customer).await;
    let path = "/api/v1/sync/purchase";
    app.as_user(&ann, "POST", path, &buy_body("bob", 1)).await.problem(403, "FORBIDDEN");
    app.post(path, &buy_body("bob", 1)).await.ok(200);
    let admin = app.post_with(path, &[("x-api-key", API_KEY)], &buy_body("cid", 1)).await.ok(200);
    assert_eq!(admin["userId"], "cid");
}
