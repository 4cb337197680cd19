//! Every route × everybody who could ask, held against the table of rules.

use api::identity::{RULES, Rule, rule_of};
use axum::http::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::config::AuthMode;
use shared::domain::testing::tester;
use shared::domain::{Role, Scope};
use shared::testing::eventually;

use crate::support::{API_KEY, TestApp};

/// Somebody, with the headers that say who.
struct Who {
    name: String,
    header: Option<(&'static str, String)>,
    /// They send the admin's key too.
    key_too: bool,
    /// What they should be let in to.
    may: Box<dyn Fn(Rule) -> bool>,
    /// What they are answered otherwise.
    refusal: (u16, &'static str),
}

fn who(
    name: &str,
    header: Option<(&'static str, String)>,
    refusal: (u16, &'static str),
    may: impl Fn(Rule) -> bool + 'static,
) -> Who {
    Who { name: name.to_owned(), header, key_too: false, may: Box::new(may), refusal }
}

impl Who {
    fn beside_a_key(self) -> Self {
        Self { key_too: true, ..self }
    }
}

const UNKNOWN: (u16, &str) = (401, "UNAUTHENTICATED");
const NOT_ALLOWED: (u16, &str) = (403, "FORBIDDEN");

async fn everybody(app: &TestApp, open: bool) -> Vec<Who> {
    let bearer = |token: String| Some(("authorization", format!("Bearer {token}")));
    let customer = app.token("ann", Role::Customer).await;
    let operator = app.token("zoe", Role::Operator).await;
    let mut all = vec![
        who("nobody", None, UNKNOWN, move |rule| match rule {
            Rule::Anyone => true,
            Rule::Buyers(_) => open,
            Rule::Operators(_) | Rule::Nobody => false,
        }),
        who("a customer", bearer(customer.clone()), NOT_ALLOWED, |rule| {
            matches!(rule, Rule::Anyone | Rule::Buyers(_))
        }),
        who("an operator", bearer(operator), NOT_ALLOWED, |rule| rule != Rule::Nobody),
        who("the admin", Some(("x-api-key", API_KEY.into())), NOT_ALLOWED, |rule| {
            rule != Rule::Nobody
        }),
        // Credentials that are there must be right, also where none are needed.
        who("a wrong token", bearer(format!("{customer}x")), UNKNOWN, |_| false),
        who("another scheme", Some(("authorization", "Basic YTpi".into())), UNKNOWN, |_| false),
        who("a token beside a key", bearer(customer), UNKNOWN, |_| false).beside_a_key(),
        who("a wrong key", Some(("x-api-key", "wrong".into())), UNKNOWN, |_| false),
    ];
    for scope in Scope::ALL {
        let key = app.service_key(scope.as_str(), &[scope]).await;
        let name = format!("a service for {scope}");
        all.push(who(&name, Some(("x-api-key", key)), NOT_ALLOWED, move |rule| match rule {
            Rule::Anyone => true,
            Rule::Buyers(asked) | Rule::Operators(asked) => asked == scope,
            Rule::Nobody => false,
        }));
    }
    all
}

/// A request that no handler can do anything with: whoever is let in is told what is wrong with it.
async fn knock(app: &TestApp, method: &str, template: &str, who: &Who) -> (u16, Value) {
    let path: String = template
        .split('/')
        .map(|part| match part {
            "{userId}" => "ann",
            parameter if parameter.starts_with('{') => "!",
            part => part,
        })
        .collect::<Vec<_>>()
        .join("/");
    let mut headers = vec![("content-type", "text/plain")];
    headers.extend(who.header.as_ref().map(|(name, value)| (*name, value.as_str())));
    headers.extend(who.key_too.then_some(("x-api-key", API_KEY)));
    let answer = app.send(method, &path, &headers, "?").await;
    let code = if answer.status >= 400 { answer.json()["code"].clone() } else { Value::Null };
    (answer.status, code)
}

async fn walk(mode: AuthMode) {
    let app = TestApp::with(5, |config| config.auth.mode = mode).await;
    let document = app.get("/api/v1/openapi.json").await.ok(200);
    let everybody = everybody(&app, mode == AuthMode::Open).await;
    let mut walked = 0;
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase();
            let rule = rule_of(&Method::from_bytes(method.as_bytes()).unwrap(), template);
            assert_ne!(rule, Rule::Nobody, "{method} {template} has no rule");
            let protected = matches!(rule, Rule::Buyers(_) | Rule::Operators(_));
            assert_eq!(operation["security"].is_array(), protected, "{method} {template}");
            for who in &everybody {
                let (status, code) = knock(&app, &method, template, who).await;
                let asked =
                    format!("{mode:?}: {} at {method} {template}: {status} {code}", who.name);
                if (who.may)(rule) {
                    assert!(status != 401 && status != 403, "{asked}");
                } else {
                    assert_eq!((status, code.as_str().unwrap()), who.refusal, "{asked}");
                }
                walked += 1;
            }
        }
    }
    assert_eq!(walked, RULES.len() * everybody.len(), "a rule is for no route");
}

#[tokio::test]
async fn every_route_lets_in_whom_its_rule_says_where_users_are_believed() {
    walk(AuthMode::Open).await;
}

#[tokio::test]
async fn every_route_lets_in_whom_its_rule_says_where_users_have_tokens() {
    walk(AuthMode::Jwt).await;
}

#[tokio::test]
async fn a_revoked_key_is_good_for_nothing() {
    let app = TestApp::start(5).await;
    let key = app.service_key("warehouse", &[Scope::Products]).await;
    app.ports.identities.revoke_service_key("warehouse", &tester()).await.unwrap();
    eventually("the key is refused", async || {
        let answer = app.get_with("/livez", &[("x-api-key", &key)]).await;
        (answer.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_is_turned_away_is_told_which_credentials_would_do() {
    let app = TestApp::with(5, |config| config.auth.mode = AuthMode::Jwt).await;
    let answer = app.get("/api/v1/admin/audit").await;
    answer.problem(401, "UNAUTHENTICATED");
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer realm="doorbuster", ApiKey realm="doorbuster""#
    );
    app.token("ann", Role::Customer).await;
    let answer = app.get_with("/livez", &[("authorization", "Bearer a.b.c")]).await;
    answer.problem(401, "UNAUTHENTICATED");
    assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#));
    // Nothing behind the door is told: not whether a path is there, nor what is wrong with the request.
    let answer = app.send("POST", "/api/v1/products", &[], "not json").await;
    answer.problem(401, "UNAUTHENTICATED");
}

impl TestApp {
    /// A new key with these scopes, known to the API.
    pub(crate) async fn service_key(&self, name: &str, scopes: &[Scope]) -> String {
        let key = format!("{:032x}", rand::random::<u128>());
        let hash = Sha256::digest(&key).into();
        self.ports.identities.add_service_key(name, &hash, scopes, &tester()).await.unwrap();
        eventually("the key is known", async || {
            let answer = self.get_with("/livez", &[("x-api-key", &key)]).await;
            (answer.status == 200).then_some(())
        })
        .await;
        key
    }
}
