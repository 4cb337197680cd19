//! Tokens of an issuer outside, by its JSON Web Key Set.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey as Ed25519;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use serde_json::{Value, json};
use shared::adapters::family;
use shared::config::AuthMode;
use shared::testing::eventually;
use tokio::net::TcpListener;

use crate::identity::credentials;
use crate::support::TestApp;

const ISSUER: &str = "https://id.example";

/// A key of the issuer's.
struct Key {
    kid: &'static str,
    pair: Ed25519,
}

impl Key {
    fn named(kid: &'static str) -> Self {
        Self { kid, pair: Ed25519::from_bytes(&rand::random()) }
    }

    /// A token of the user `auth0|7` that it signed.
    fn token(&self) -> String {
        let exp = get_current_timestamp() + 600;
        let aud = ["doorbuster", "other"];
        let claims = json!({"iss": ISSUER, "aud": aud, "sub": "auth0|7", "exp": exp});
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.into());
        let private = self.pair.to_pkcs8_der().unwrap();
        let private = EncodingKey::from_ed_der(private.as_bytes());
        jsonwebtoken::encode(&header, &claims, &private).unwrap()
    }
}

/// The public halves.
fn set_of(keys: &[&Key]) -> String {
    let public = |key: &&Key| {
        let x = BASE64_URL_SAFE_NO_PAD.encode(key.pair.verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": key.kid, "use": "sig", "x": x})
    };
    json!({"keys": keys.iter().map(public).collect::<Vec<_>>()}).to_string()
}

/// An API that believes the issuer whose keys are at `jwks`.
async fn app_of(jwks: &str) -> TestApp {
    TestApp::over(family::embedded(), 5, |config| {
        config.auth.mode = AuthMode::Jwt;
        config.auth.issuer = ISSUER.into();
        jwks.clone_into(&mut config.auth.jwks);
    })
    .await
}

async fn believed(app: &TestApp, token: &str) {
    eventually("the token is believed", async || {
        let answer = app.as_user(token, "GET", "/livez", &Value::Null).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

async fn refused(app: &TestApp, token: &str) {
    app.as_user(token, "GET", "/livez", &Value::Null).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn tokens_of_an_issuer_outside_count_and_its_accounts_are_not_ours() {
    let key = Key::named("theirs");
    let file =
        std::env::temp_dir().join(format!("doorbuster-jwks-{:x}.json", rand::random::<u64>()));
    std::fs::write(&file, set_of(&[&key])).unwrap();
    let app = app_of(file.to_str().unwrap()).await;
    let token = key.token();
    believed(&app, &token).await;
    let one = json!({"productId": 1, "quantity": 1});
    let sold = app.as_user(&token, "POST", "/api/v1/sync/purchase", &one).await.ok(200);
    assert_eq!(sold["userId"], "auth0|7");
    for action in ["register", "login"] {
        app.auth(action, &credentials("zoe")).await.problem(404, "NOT_FOUND");
    }
    let refresh = json!({"refreshToken": "x"});
    app.auth("refresh", &refresh).await.problem(404, "NOT_FOUND");
    // Nobody else signs for it.
    for eve in ["theirs", "eves"] {
        refused(&app, &Key::named(eve).token()).await;
    }
    std::fs::remove_file(file).unwrap();
}

/// Takes ten seconds: an issuer is not asked more often than that.
#[tokio::test]
async fn a_key_that_the_issuer_adds_is_asked_for_when_a_token_names_it() {
    let (first, second) = (Key::named("first"), Key::named("second"));
    let set = Arc::new(Mutex::new(set_of(&[&first])));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let shown = Arc::clone(&set);
    let keys = get(move || std::future::ready(shown.lock().unwrap().clone()));
    let issuer = Router::new().route("/keys", keys);
    tokio::spawn(async { axum::serve(listener, issuer).await.unwrap() });

    let app = app_of(&url).await;
    believed(&app, &first.token()).await;
    let token = second.token();
    refused(&app, &token).await;
    *set.lock().unwrap() = set_of(&[&first, &second]);
    believed(&app, &token).await;
    believed(&app, &first.token()).await;
}
