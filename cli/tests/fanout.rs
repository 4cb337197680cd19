//! The stock fanout as an independent consumer sees it, with an AMQP client of its own.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use std::time::Duration;

use futures::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};
use serde_json::Value;
use support::{Stack, eventually};

async fn listen(url: &str) -> (Connection, Consumer) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let declare = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), declare, FieldTable::default()).await.unwrap();
    let (name, bind) = (queue.name().clone(), QueueBindOptions::default());
    let exchange = "stock.updates".into();
    channel
        .queue_bind(name.clone(), exchange, "".into(), bind, FieldTable::default())
        .await
        .unwrap();
    let consume = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer = channel.basic_consume(name, "".into(), consume, FieldTable::default()).await;
    (connection, consumer.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_rise_and_the_last_value_arrives() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let _worker = stack.worker();
    let product = client.add_product("FANOUT", 10).await;
    let (_connection, mut stock) = listen(&stack.servers.vhost.url()).await;
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
