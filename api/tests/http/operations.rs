//! Health and the queue.

use shared::adapters::family;
use shared::testing::eventually;

use crate::support::{TestApp, buy_body};

#[tokio::test]
async fn a_ready_instance_names_everything_it_needs() {
    let app = TestApp::start(1).await;
    assert_eq!(app.get("/livez").await.ok(200)["status"], "alive");
    let report = app.get("/readyz").await.ok(200);
    assert_eq!(report["status"], "ready");
    for name in ["rabbitmq", "redis", "postgresql", "catalogue", "trackingKey"] {
        assert_eq!(report["checks"][name]["status"], "up", "{name}");
    }
}

#[tokio::test]
async fn the_queue_shows_what_waits() {
    let app = TestApp::start(5).await;
    let path = "/api/v1/async/queue/status";
    let empty = app.get(path).await.ok(200);
    assert_eq!((&empty["depth"], &empty["oldestAgeSeconds"]), (&0.into(), &0.0.into()));
    app.post("/api/v1/async/purchase", &buy_body("u-1", 1)).await.ok(202);
    let waiting = eventually("the queue is seen to hold one", async || {
        let seen = app.get(path).await.ok(200);
        (seen["depth"] == 1 && seen["oldestAgeSeconds"].as_f64() > Some(0.0)).then_some(seen)
    })
    .await;
    assert_eq!((&waiting["consumers"], &waiting["deadLetters"]), (&0.into(), &0.into()));
    app.work();
    eventually("the queue is seen to be empty", async || {
        let seen = app.get(path).await.ok(200);
        (seen["depth"] == 0 && seen["consumers"] == 1 && seen["oldestAgeSeconds"] == 0.0)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_process_without_metrics_says_so() {
    let app = TestApp::bare(family::embedded(), |_| {}).await;
    app.get("/metrics").await.problem(404, "NOT_FOUND");
}
