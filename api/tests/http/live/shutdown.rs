//! What a shutdown means for those who are told.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::support::{TestApp, buy_body};

#[tokio::test]
async fn streams_end_and_sockets_are_told_to_go_elsewhere() {
    let mut app = TestApp::start(1).await;
    let accepted = app.post("/api/v1/async/purchase", &buy_body("u-1", 1)).await.ok(202);
    let mut purchase = app.events(accepted["links"]["events"].as_str().unwrap(), &[]).await;
    let mut stock = app.events("/api/v1/products/1/stock/events", &[]).await;
    assert!(purchase.next().await.is_some() && stock.next().await.is_some());
    let (mut socket, mut quiet) = (app.socket(&[]).await, app.socket(&[]).await);
    socket.ask("inventory:watch", json!({"productId": 1}), "a").await;
    socket.hear().await;
    app.shutdown.cancel();
    assert!(purchase.next().await.is_none() && stock.next().await.is_none());
    assert_eq!(socket.closed_with().await, 1001);
    assert_eq!(quiet.closed_with().await, 1001);
    assert!(socket.any().await.is_none() && quiet.any().await.is_none());
    timeout(Duration::from_secs(5), &mut app.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_socket_that_does_not_answer_holds_a_shutdown_up_for_a_moment_only() {
    let mut app = TestApp::start(1).await;
    // It never reads, so it never answers the Close frame.
    let mut deaf = app.socket(&[]).await;
    app.shutdown.cancel();
    timeout(Duration::from_secs(8), &mut app.served).await.unwrap().unwrap();
    // It was waited for, and told.
    assert_eq!(deaf.closed_with().await, 1001);
}
