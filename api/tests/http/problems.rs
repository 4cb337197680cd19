//! Everything that is not a success is a problem document, and everything has a request ID.

use crate::support::{TestApp, buy_body};

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems_too() {
    let app = TestApp::start(1).await;
    for path in ["/page/", "/nope", "/api/v1/purchases/", "/api/v1/async/purchase/"] {
        let problem = app.get(path).await.problem(404, "NOT_FOUND");
        assert_eq!(problem["instance"], path);
    }
    let answer = app.get("/api/v1/async/purchase").await;
    answer.problem(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), "POST");
    let answer = app.send("DELETE", "/api/v1/products/1", &[], "").await;
    answer.problem(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), "GET,HEAD,PATCH");
    app.send("FROB", "/livez", &[], "").await.problem(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_problem_says_what_it_means_and_where_it_happened() {
    let app = TestApp::start(0).await;
    let path = "/api/v1/sync/purchase";
    let problem = app.post(path, &buy_body("u", 1)).await.problem(409, "OUT_OF_STOCK");
    assert_eq!(problem["type"], "/docs#OUT_OF_STOCK");
    assert_eq!(problem["instance"], path);
}

#[tokio::test]
async fn a_request_keeps_its_id_or_is_given_one() {
    let app = TestApp::start(1).await;
    let kept = app.get_with("/livez", &[("x-request-id", "shop-42/a")]).await;
    assert_eq!(kept.header("x-request-id"), "shop-42/a");
    let (one, two) = (app.get("/nope").await, app.get("/nope").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    for insane in ["a b", "\"quoted\"", &"x".repeat(129)] {
        let replaced = app.get_with("/livez", &[("x-request-id", insane)]).await;
        assert_ne!(replaced.header("x-request-id"), insane);
    }
}

#[tokio::test]
async fn a_head_has_no_body() {
    let app = TestApp::start(1).await;
    let answer = app.send("HEAD", "/api/v1/products/1", &[], "").await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}
