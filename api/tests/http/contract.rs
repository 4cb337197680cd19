//! The OpenAPI document and its page.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::TestApp;

async fn contract(app: &TestApp) -> Value {
    app.get("/api/v1/openapi.json").await.ok(200)
}

#[tokio::test]
async fn the_document_lists_every_route_and_no_other() {
    let app = TestApp::start(1).await;
    let document = contract(&app).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            routes.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let expected = [
        "GET /api/v1/admin/audit",
        "GET /api/v1/admin/audit-log",
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/logout",
        "POST /api/v1/auth/refresh",
        "POST /api/v1/auth/register",
        "GET /api/v1/admin/dead-letters",
        "GET /api/v1/admin/dead-letters/{id}",
        "GET /api/v1/async/queue/status",
        "DELETE /api/v1/queue/leave",
        "DELETE /api/v1/reservations/{reservationId}",
        "GET /api/v1/flash-sales",
        "GET /api/v1/flash-sales/{id}",
        "GET /api/v1/flash-sales/{id}/queue-position",
        "GET /api/v1/openapi.json",
        "GET /api/v1/orders",
        "GET /api/v1/orders/user/{userId}",
        "GET /api/v1/orders/{orderId}",
        "GET /api/v1/products",
        "GET /api/v1/products/{product}",
        "GET /api/v1/products/{product}/availability",
        "GET /api/v1/products/{product}/stock/events",
        "GET /api/v1/purchases/{trackingId}",
        "GET /api/v1/purchases/{trackingId}/events",
        "GET /api/v1/queue/events",
        "GET /api/v1/queue/position",
        "GET /api/v1/reservations/{reservationId}",
        "GET /api/v1/sync/stock/{product}",
        "GET /",
        "GET /docs",
        "GET /livez",
        "GET /metrics",
        "GET /page/{file}",
        "GET /readyz",
        "GET /ws",
        "PATCH /api/v1/flash-sales/{id}",
        "PATCH /api/v1/products/{product}",
        "POST /api/buy/{product}",
        "POST /api/v1/admin/dead-letters/discard",
        "POST /api/v1/admin/dead-letters/replay",
        "POST /api/v1/admin/dead-letters/{id}/discard",
        "POST /api/v1/admin/dead-letters/{id}/replay",
        "POST /api/v1/async/purchase",
        "POST /api/v1/orders",
        "POST /api/v1/orders/checkout",
        "POST /api/v1/orders/{orderId}/cancel",
        "POST /api/v1/orders/{orderId}/fulfil",
        "POST /api/v1/payments/webhook",
        "POST /api/v1/flash-sales",
        "POST /api/v1/flash-sales/{id}/cancel",
        "POST /api/v1/queue/join",
        "POST /api/v1/products",
        "POST /api/v1/products/{product}/restock",
        "POST /api/v1/purchases/query",
        "POST /api/v1/reservations",
        "POST /api/v1/sync/purchase",
    ];
    assert_eq!(routes, expected.map(str::to_owned).into());
    // Each is served: neither an unknown path nor a wrong method.
    for route in routes {
        let (method, path) = route.split_once(' ').unwrap();
        // A stream would not end: of what is not there, there is none.
        let product = if path.ends_with("/stock/events") { "9" } else { "1" };
        let path = path.replace("{product}", product).replace(['{', '}'], "");
        let answer = app.send(method, &path, &[], "").await;
        let code = if answer.status >= 400 { answer.json()["code"].clone() } else { Value::Null };
        assert!(code != "METHOD_NOT_ALLOWED", "{route}");
        assert!(code != "NOT_FOUND" || ["/metrics", "/page/file"].contains(&&*path), "{route}");
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_route_says_what_can_go_wrong() {
    let app = TestApp::start(1).await;
    let document = contract(&app).await;
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
        match value {
            Value::Object(map) => open.extend(map.values()),
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    let mut targets = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let route = format!("{method} {path}");
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{route}");
            for answer in operation["responses"].as_object().unwrap().values() {
                let links = answer["links"].as_object().into_iter().flatten();
                targets.extend(links.map(|(_, link)| link["operationId"].as_str().unwrap()));
            }
            assert!(
                operation["summary"].is_string() && operation["tags"][0].is_string(),
                "{route}"
            );
            let answers = operation["responses"].as_object().unwrap();
            let done = |status: &String| status.starts_with('2') || status == "101";
            assert!(answers.keys().any(done), "{route}");
            if path.starts_with("/api/") {
                assert!(answers.contains_key("default"), "{route}");
            }
        }
    }
    assert!(targets.len() >= 15 && targets.is_subset(&names), "{targets:?}");
}

#[tokio::test]
async fn what_is_answered_is_what_the_schemas_say() {
    let app = TestApp::start(5).await;
    app.work();
    let document = contract(&app).await;
    let buy = crate::support::buy_body("u-1", 1);
    let accepted = app.post("/api/v1/async/purchase", &buy).await.ok(202);
    let path = format!("{}?wait=20", accepted["links"]["self"].as_str().unwrap());
    let audit = app.operate("GET", "/api/v1/admin/audit", &serde_json::json!({})).await.ok(200);
    crate::dead_letters::parked(&app, "u-2").await;
    let letters = app.operate("GET", "/api/v1/admin/dead-letters", &Value::Null).await.ok(200);
    let all = serde_json::json!({"ids": [1, 9]});
    let moved = app.operate("POST", "/api/v1/admin/dead-letters/discard", &all).await.ok(200);
    let again = "/api/v1/admin/dead-letters/1/discard";
    let cases = [
        ("DeadLetterView", letters["deadLetters"][0].clone()),
        ("LetterPurchase", letters["deadLetters"][0]["purchases"][0].clone()),
        ("DeadLetterList", letters),
        ("RefusedLetter", moved["refused"][0].clone()),
        ("DeadLettersMoved", moved),
        ("DeadLetterMoved", app.operate("POST", again, &Value::Null).await.ok(200)),
        ("Accepted", accepted),
        ("PurchaseView", app.get(&path).await.ok(200)),
        ("Sold", app.post("/api/v1/sync/purchase", &buy).await.ok(200)),
        ("ProductPage", app.get("/api/v1/products").await.ok(200)),
        ("ProductView", app.get("/api/v1/products/1").await.ok(200)),
        ("Availability", app.get("/api/v1/products/1/availability").await.ok(200)),
        ("StockView", app.get("/api/v1/sync/stock/1").await.ok(200)),
        ("SaleView", crate::sales::planned(&app, -1, 1).await),
        ("SaleList", app.get("/api/v1/flash-sales").await.ok(200)),
        ("QueueView", app.get("/api/v1/async/queue/status").await.ok(200)),
        ("Report", app.get("/readyz").await.ok(200)),
        ("ProductAudit", audit["products"][0].clone()),
        ("GateAudit", audit["products"][0]["gate"].clone()),
        ("Audit", audit),
        ("ProblemDocument", app.get("/nope").await.json()),
    ];
    for (name, value) in cases {
        let schema = &document["components"]["schemas"][name];
        let properties = schema["properties"].as_object().unwrap_or_else(|| panic!("{name}"));
        for field in value.as_object().unwrap_or_else(|| panic!("{name}: {value}")).keys() {
            assert!(properties.contains_key(field), "{name}.{field} is not described");
        }
        for field in properties.keys().filter(|field| *field != "replayOf") {
            assert!(value.get(field).is_some(), "{name}.{field} is not answered");
        }
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let app = TestApp::start(1).await;
    let page = app.get("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(!html.contains("://") && !html.contains("src="), "an outside resource");
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
}

#[tokio::test]
async fn every_code_is_explained() {
    let app = TestApp::start(1).await;
    let document = contract(&app).await;
    let codes: Vec<_> = document["x-problem-codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["code"].as_str().unwrap(), entry["status"].as_u64().unwrap()))
        .collect();
    for expected in [("OUT_OF_STOCK", 409), ("IDEMPOTENCY_KEY_REUSED", 422), ("OVERLOADED", 503)] {
        assert!(codes.contains(&expected), "{expected:?}");
    }
}
