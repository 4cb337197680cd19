//! Restarts with purchases under way: of our programs and of each server. One test, since it stops
//! servers that all the others would share; each part leaves them running.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use support::{Server, Stack, accept, kept, readiness};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_whatever_restarts() {
    let stack = Stack::new().await;
    worker_killed(&stack).await;
    worker_drained(&stack).await;
    api_restarted(&stack).await;
    redis_killed(&stack).await;
    postgres_away(&stack).await;
    broker_killed(&stack).await;
}

async fn worker_killed(stack: &Stack) {
    let (_api, client) = stack.api().await;
    let mut first = stack.worker();
    let (product, mut promised) = accept(&client, "WORKER", 100).await;
    first.kill();
    for n in 0..100 {
        promised.push(client.buy("async", product, &format!("v-{n}")).await.text("trackingId"));
    }
    let _second = stack.worker();
    kept(stack, &client, product, &promised).await;
}

async fn worker_drained(stack: &Stack) {
    let (_api, client) = stack.api().await;
    let mut worker = stack.worker();
    let (product, promised) = accept(&client, "DRAIN", 100).await;
    assert!(worker.terminate().success(), "SIGTERM drains and exits 0");
    let _next = stack.worker();
    kept(stack, &client, product, &promised).await;
}

async fn api_restarted(stack: &Stack) {
    let _worker = stack.worker();
    let (mut api, client) = stack.api().await;
    let (product, promised) = accept(&client, "API", 100).await;
    api.kill();
    let (mut next, client) = stack.api().await;
    kept(stack, &client, product, &promised).await;
    assert!(next.terminate().success(), "SIGTERM drains and exits 0");
}

/// An empty restart: the sale goes on from the ledger and the gate converges.
async fn redis_killed(stack: &Stack) {
    let _worker = stack.worker();
    let (_api, client) = stack.api().await;
    let (product, mut promised) = accept(&client, "REDIS", 20).await;
    let down = Server::Redis.kill();
    for n in 0..20 {
        promised.push(client.buy("async", product, &format!("v-{n}")).await.text("trackingId"));
    }
    let sync = client.buy("sync", product, "w-1").await;
    assert_eq!(sync.status, 200, "{sync:?}");
    promised.push(sync.text("trackingId"));
    readiness(&client, 200, "degraded").await;
    drop(down);
    kept(stack, &client, product, &promised).await;
}

/// 202s go on, the synchronous way answers 503, and all settle afterwards.
async fn postgres_away(stack: &Stack) {
    let _worker = stack.worker();
    let (_api, client) = stack.api().await;
    let (product, mut promised) = accept(&client, "POSTGRES", 20).await;
    let down = Server::Postgres.kill();
    for n in 0..20 {
        let answer = client.buy("async", product, &format!("v-{n}")).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        promised.push(answer.text("trackingId"));
    }
    let sync = client.buy("sync", product, "w-1").await;
    assert_eq!((sync.status, sync.code()), (503, "UNAVAILABLE"), "{sync:?}");
    assert!(sync.headers.contains_key("retry-after"));
    readiness(&client, 200, "degraded").await;
    drop(down);
    kept(stack, &client, product, &promised).await;
}

/// A 202 is never given without the broker, and what it confirmed survives kill -9.
async fn broker_killed(stack: &Stack) {
    let (_api, client) = stack.api().await;
    let (product, promised) = accept(&client, "BROKER", 50).await;
    let down = Server::RabbitMq.kill();
    let refused = client.buy("async", product, "v-1").await;
    assert_eq!((refused.status, refused.code()), (503, "UNAVAILABLE"), "{refused:?}");
    readiness(&client, 503, "unavailable").await;
    drop(down);
    let _worker = stack.worker();
    kept(stack, &client, product, &promised).await;
}
