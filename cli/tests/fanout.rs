//! The stock fanout as an independent consumer sees it, with an AMQP client of its own.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use support::{Stack, eventually, listen};

#[tokio::test(flavor = "multi_thread")]
async fn versions_rise_and_the_last_value_arrives() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let _worker = stack.worker();
    let product = client.add_product("FANOUT", 10).await;
    let (_connection, mut stock) = listen(&stack.servers.vhost.url(), "stock.updates", "").await;
    for n in 0..10 {
        assert_eq!(client.buy("async", product, &format!("u-{n}")).await.status, 202);
    }

    let mut newest = 0;
    let sold_out = async {
        while let Some(delivery) = stock.next().await {
            let update: Value = serde_json::from_slice(&delivery.unwrap().data).unwrap();
            for level in update["stock"].as_array().unwrap() {
                let version = level["version"].as_i64().unwrap();
                if level["productId"] != product || version <= newest {
                    continue;
                }
                newest = version;
                let counts = &level["counts"];
                assert_eq!(counts["total"], 10);
                if counts["sold"] == 10 {
                    return;
                }
            }
        }
        panic!("the broker closed the queue");
    };
    tokio::time::timeout(Duration::from_secs(30), sold_out).await.unwrap();
    eventually("the board of the API has it too", async || {
        let last = client.get(&format!("/api/v1/products/{product}/availability")).await;
        (last.body["version"] == newest).then_some(())
    })
    .await;
}
