//! Queues of the broker that are full or missing.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;
use support::{Client, RetryDeadLetters, Stack, eventually, kept};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_everything_it_took_is_settled() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let product = client.add_product("FULL", 1_000).await;
    stack.servers.vhost.limit("purchases", 5).await;
    let mut promised = vec![];
    let mut buy = async |until| {
        let answer = client.buy("async", product, "u-1").await;
        if answer.status == 202 {
            promised.push(answer.text("trackingId"));
        }
        (answer.status == until).then_some(answer)
    };
    // A quorum queue tells its publishers a moment after it is full.
    let refused = eventually("the queue is full", async || buy(503).await).await;
    assert_eq!(refused.code(), "OVERLOADED", "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "1");
    for _ in 0..20 {
        assert!(buy(503).await.is_some(), "it is still full");
    }

    let _worker = stack.worker();
    eventually("there is room again", async || buy(202).await).await;
    assert!(promised.len() > 5);
    kept(&stack, &client, product, &promised).await;
}

/// The broker keeps what it cannot dead-letter, and tries again.
#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_wait_at_their_source_while_their_queue_is_full_or_missing() {
    let _soon = RetryDeadLetters::soon();
    let stack = Stack::new().await;
    let vhost = &stack.servers.vhost;
    let (_api, client) = stack.api().await;
    let _worker = stack.worker();
    let product = client.add_product("DEAD", 10).await;

    vhost.limit("purchases.dead", 1).await;
    // One more than the limit is let in; from then on the broker keeps them.
    garbage(&stack, 0..2).await;
    dead_letters(&client, 2).await;
    garbage(&stack, 2..5).await;
    // What is behind them flows.
    let bought = client.buy("async", product, "u-1").await;
    assert_eq!(client.outcome(&bought.text("trackingId")).await["status"], "CONFIRMED");
    kept_at_source(&stack, 3).await;
    vhost.limit("purchases.dead", 1_000).await;
    dead_letters(&client, 5).await;
    assert_eq!(letters(&stack, 5).await, 5);

    vhost.management().delete(&format!("/api/queues/{}/purchases.dead", vhost.name())).await;
    garbage(&stack, 5..6).await;
    // Those before went with their queue; the ledger has them all.
    dead_letters(&client, 1).await;
    assert_eq!(letters(&stack, 6).await, 6);
    kept_at_source(&stack, 0).await;
    stack.healthy().await;
}

async fn garbage(stack: &Stack, numbers: Range<u32>) {
    for number in numbers {
        let body = format!("not an envelope {number}");
        stack.servers.vhost.publish("purchases", "purchase", body.as_bytes()).await;
    }
}

/// Waits until `purchases` has so many dead letters that it could not hand over.
async fn kept_at_source(stack: &Stack, count: u64) {
    let vhost = &stack.servers.vhost;
    eventually(&format!("{count} dead letters are kept"), async || {
        let path = format!("/api/queues/{}/purchases", vhost.name());
        let queue = vhost.management().get(&path).await?;
        (queue["messages_dlx"] == count).then_some(())
    })
    .await;
}

/// Waits until so many lie in the dead-letter queue.
async fn dead_letters(client: &Client, count: u64) {
    eventually(&format!("{count} dead letters lie in their queue"), async || {
        let queue = client.get("/api/v1/async/queue/status").await;
        (queue.body["deadLetters"] == count).then_some(())
    })
    .await;
}

/// Waits until so many letters wait for an operator; how many different ones they are.
async fn letters(stack: &Stack, count: usize) -> usize {
    let all: Vec<Value> = eventually("the letters are listed", async || {
        let (_, list) = stack.dlq(&["list"]);
        let letters = list["deadLetters"].as_array().unwrap().clone();
        (letters.len() >= count).then_some(letters)
    })
    .await;
    all.iter().map(|letter| letter["id"].as_i64()).collect::<BTreeSet<_>>().len()
}
