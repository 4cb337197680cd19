//! The demo shop: how its files are served. That it works in a browser is `cli/tests/page.rs`.

use crate::support::TestApp;

#[tokio::test]
async fn the_page_is_one_of_our_own_files_and_may_ask_nobody_else() {
    let app = TestApp::start(1).await;
    let page = app.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(!html.contains("://") && !html.contains("style=") && !html.contains("onclick"));
    for (name, content_type) in [
        ("page.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        assert!(html.contains(&format!("\"/page/{name}\"")), "{name}");
        let file = app.get(&format!("/page/{name}")).await;
        assert_eq!((file.status, file.header("content-type")), (200, content_type));
        assert_eq!(file.header("x-content-type-options"), "nosniff");
    }
    app.get("/page/page.rs").await.problem(404, "NOT_FOUND");
    app.get("/page/..%2fpage.rs").await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_browser_that_has_the_page_is_told_so() {
    let app = TestApp::start(1).await;
    for path in ["/", "/page/page.js"] {
        let first = app.get(path).await;
        assert_eq!(first.header("cache-control"), "no-cache");
        let again = app.get_with(path, &[("if-none-match", first.header("etag"))]).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), first.header("etag"));
        let other = app.get_with(path, &[("if-none-match", "\"another\"")]).await;
        assert_eq!(other.status, 200);
        let head = app.send("HEAD", path, &[], "").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    app.post("/", &serde_json::json!({})).await.problem(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_shop_with_a_page_of_its_own_turns_it_off() {
    let app = TestApp::with(1, |config| config.http.page = false).await;
    for path in ["/", "/page/page.js"] {
        app.get(path).await.problem(404, "NOT_FOUND");
    }
}
