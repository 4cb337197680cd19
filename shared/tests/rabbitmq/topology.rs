//! What is declared, what lies in the queues, and what happens when an operator changes it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use shared::adapters::rabbitmq::{Broker, RabbitBus};
use shared::domain::envelope;
use shared::domain::testing::{id, purchase};
use shared::ports::{DeadLetter, EventBus, PurchaseQueue, QueueError};
use shared::testing::eventually;
use shared::testing::rabbitmq::Vhost;
use shared::testing::sieve::peek_dead;
use tokio::time::timeout;

use crate::{connected, first_id, next, stock};

/// The messages of a queue as an operator sees them; they stay there.
async fn messages(vhost: &Vhost, queue: &str) -> Vec<Value> {
    let path = format!("/api/queues/{}/{queue}/get", vhost.name());
    let ask = json!({ "count": 100, "ackmode": "ack_requeue_true", "encoding": "auto" });
    vhost.management().post(&path, &ask).await.as_array().unwrap().clone()
}

#[tokio::test]
async fn declaring_again_what_the_definitions_declared_changes_nothing() {
    let vhost = Vhost::create().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../rabbitmq/definitions.json");
    let text = std::fs::read_to_string(file).unwrap();
    let mut definitions: Value = serde_json::from_str(&text).unwrap();
    definitions.as_object_mut().unwrap().remove("vhosts");
    vhost.management().post(&format!("/api/definitions/{}", vhost.name()), &definitions).await;

    for _ in 0..2 {
        let queue = connected(&vhost).await;
        queue.publish(&[purchase(1, "u-1", 1)]).await.unwrap();
        queue.close().await;
    }
}

#[tokio::test]
async fn an_operator_can_read_what_travels() {
    let vhost = Vhost::create().await;
    let queue = connected(&vhost).await;
    let mut second = purchase(2, "u-2", 1);
    second.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    queue.publish(&[purchase(1, "u-1", 1), second.clone()]).await.unwrap();
    let letter = DeadLetter { order_id: Some(id(3)), body: b"{".into(), error: "cut off".into() };
    queue.publish_dead(&letter).await.unwrap();

    let message = &messages(&vhost, "purchases").await[0];
    assert!(message["payload"].as_str().unwrap().starts_with(r#"{"v":1,"purchases":["#));
    let properties = &message["properties"];
    assert_eq!(properties["delivery_mode"], 2);
    assert_eq!(properties["content_type"], "application/json");
    assert_eq!(properties["type"], "purchases.v1");
    assert_eq!(properties["headers"]["count"], 2);
    assert_eq!(properties["headers"]["traceparent"].as_str(), second.traceparent.as_deref());
    assert!(properties["message_id"].is_string());
    assert!(properties["timestamp"].as_u64().unwrap() > 1_700_000_000);

    let letter = &messages(&vhost, "purchases.dead").await[0];
    let headers = &letter["properties"]["headers"];
    assert_eq!(letter["payload"], "{");
    assert_eq!(headers["doorbuster-parked"], true);
    assert_eq!(headers["doorbuster-order-id"], id(3).to_string());
    assert_eq!(headers["doorbuster-error"], "cut off");
}

#[tokio::test]
async fn an_unroutable_purchase_is_never_accepted_and_the_topology_heals() {
    let vhost = Vhost::create().await;
    let queue = connected(&vhost).await;
    let path = format!("/api/bindings/{}/e/purchases/q/purchases/purchase", vhost.name());
    vhost.management().delete(&path).await;
    let error = queue.publish(&[purchase(1, "u-1", 1)]).await.unwrap_err();
    assert!(matches!(&error, QueueError::Refused(why) if why == "unroutable"), "{error}");

    eventually("it is declared again", async || queue.publish(&[purchase(2, "u-1", 1)]).await.ok())
        .await;
    let mut deliveries = queue.consume().await.unwrap();
    assert_eq!(first_id(&next(&mut *deliveries).await.body), id(2));
}

#[tokio::test]
async fn a_deleted_queue_is_made_again_and_nothing_is_promised_meanwhile() {
    let vhost = Vhost::create().await;
    let queue = connected(&vhost).await;
    vhost.management().delete(&format!("/api/queues/{}/purchases", vhost.name())).await;
    let mut accepted = BTreeSet::new();
    for n in 0..200 {
        if queue.publish(&[purchase(n, "u-1", 1)]).await.is_ok() {
            accepted.insert(id(n));
        }
    }
    eventually("it is declared again", async || {
        queue.publish(&[purchase(999, "u-1", 1)]).await.ok()
    })
    .await;
    accepted.insert(id(999));
    let mut deliveries = queue.consume().await.unwrap();
    while !accepted.is_empty() {
        accepted.remove(&first_id(&next(&mut *deliveries).await.body));
    }
}

#[tokio::test]
async fn garbage_put_on_the_queue_by_hand_is_dead_lettered_once() {
    let vhost = Vhost::create().await;
    let queue = connected(&vhost).await;
    vhost.publish("purchases", "purchase", b"\xff\0 no envelope").await;
    queue.publish(&[purchase(1, "u-1", 1)]).await.unwrap();
    let mut deliveries = queue.consume().await.unwrap();
    let garbage = next(&mut *deliveries).await;
    assert!(envelope::decode(&garbage.body).is_err());
    garbage.receipt.reject().await.unwrap();
    let rest = next(&mut *deliveries).await;
    assert_eq!(first_id(&rest.body), id(1));
    rest.receipt.ack_through().await.unwrap();

    let letters = eventually("it is dead-lettered", async || {
        let letters = messages(&vhost, "purchases.dead").await;
        (!letters.is_empty()).then_some(letters)
    })
    .await;
    assert_eq!(letters.len(), 1);
    let death = &letters[0]["properties"]["headers"]["x-death"][0];
    assert_eq!((&death["queue"], &death["reason"]), (&json!("purchases"), &json!("rejected")));
    let peeked = eventually("it is back in the queue", async || {
        let peeked = peek_dead(&queue, 10).await.unwrap();
        (!peeked.is_empty()).then_some(peeked)
    })
    .await;
    assert_eq!(peeked, [b"\xff\0 no envelope".to_vec()]);
    assert!(deliveries.ready().is_none());
}

#[tokio::test]
async fn unreadable_news_is_skipped() {
    let vhost = Vhost::create().await;
    let bus = RabbitBus::new(Broker::new(&vhost.config()).unwrap());
    bus.connected().await;
    let mut subscription = bus.subscribe().await.unwrap();
    for exchange in ["stock.updates", "purchase.outcomes"] {
        vhost.publish(exchange, "", b"{\"neither\": [").await;
        vhost.publish(exchange, "", "é".repeat(5_000).as_bytes()).await;
    }
    bus.publish(&[stock()]).await.unwrap();
    let news = timeout(Duration::from_secs(10), subscription.next()).await.unwrap();
    assert_eq!(news.unwrap(), stock());
}
