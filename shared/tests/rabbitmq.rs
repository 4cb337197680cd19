//! What only a real broker can do to us.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::adapters::rabbitmq::{Broker, RabbitBus, RabbitQueue};
use shared::domain::testing::{id, purchase};
use shared::domain::{TrackingId, envelope};
use shared::ports::{
    BusMessage, DeadLetter, Deliveries, Delivery, EventBus, PurchaseQueue, QueueError, StockUpdate,
};
use shared::testing::eventually;
use shared::testing::proxy::Proxy;
use shared::testing::rabbitmq::{Vhost, config};
use tokio::net::TcpListener;
use tokio::time::timeout;

async fn connected(vhost: &Vhost) -> RabbitQueue {
    let queue = RabbitQueue::new(Broker::new(&vhost.config()).unwrap());
    queue.connected().await;
    queue
}

/// A queue behind a proxy, with a short confirm time-out.
async fn proxied(vhost: &Vhost) -> (RabbitQueue, Proxy) {
    let proxy = Proxy::start(&vhost.url()).await;
    let mut config = config(proxy.url());
    config.confirm_timeout = Duration::from_millis(250);
    let queue = RabbitQueue::new(Broker::new(&config).unwrap());
    queue.connected().await;
    (queue, proxy)
}

async fn next(deliveries: &mut dyn Deliveries) -> Delivery {
    timeout(Duration::from_secs(10), deliveries.next()).await.expect("a delivery").unwrap()
}

fn first_id(body: &[u8]) -> TrackingId {
    envelope::decode(body).unwrap().purchases[0].id
}

fn stock() -> BusMessage {
    BusMessage::Stock(Arc::new(StockUpdate { stock: vec![], heartbeat: None }))
}

/// The messages of a queue as an operator sees them; they stay there.
async fn messages(vhost: &Vhost, queue: &str) -> Vec<Value> {
    let path = format!("/api/queues/{}/{queue}/get", vhost.name());
    let ask = json!({ "count": 100, "ackmode": "ack_requeue_true", "encoding": "auto" });
    vhost.management().post(&path, &ask).await.as_array().unwrap().clone()
}

async fn is_unavailable_within_a_second(queue: &RabbitQueue) {
    let asked = Instant::now();
    let error = queue.publish(&[purchase(1, "u-1", 1)]).await.unwrap_err();
    assert!(matches!(error, QueueError::Unavailable(_)), "{error}");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(queue.writable().is_err());
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
async fn without_a_broker_everything_fails_fast() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let broker = Broker::new(&config(format!("amqp://u:p@{nobody}/v"))).unwrap();
    let (queue, bus) = (RabbitQueue::new(broker.clone()), RabbitBus::new(broker));
    is_unavailable_within_a_second(&queue).await;
    assert!(queue.consume().await.is_err());
    assert!(queue.status().await.is_err());
    assert!(queue.peek_dead(1).await.is_err());
    assert!(bus.publish(&[stock()]).await.is_err());
    assert!(bus.subscribe().await.is_err());
    queue.close().await;
    bus.close().await;
}

#[tokio::test]
async fn a_broker_that_never_answers_is_as_good_as_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://u:p@{}/v", listener.local_addr().unwrap());
    let queue = RabbitQueue::new(Broker::new(&config(url)).unwrap());
    let _accepted = listener.accept().await.unwrap();
    is_unavailable_within_a_second(&queue).await;
    queue.close().await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_under_load_lose_nothing_that_was_confirmed() {
    let vhost = Vhost::create().await;
    let queue = Arc::new(connected(&vhost).await);
    let stop = Arc::new(AtomicBool::new(false));
    let mut publishers = tokio::task::JoinSet::new();
    for task in 0..8_u128 {
        let (queue, stop) = (queue.clone(), stop.clone());
        publishers.spawn(async move {
            let (mut confirmed, mut failed) = (BTreeSet::new(), 0_u32);
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let purchase = purchase(task << 32 | n, "u-1", 1);
                let publishing = queue.publish(std::slice::from_ref(&purchase));
                match timeout(Duration::from_secs(15), publishing).await.expect("an answer") {
                    Ok(()) => assert!(confirmed.insert(purchase.id)),
                    Err(_) => {
                        failed += 1;
                        tokio::task::yield_now().await;
                    }
                }
            }
            (confirmed, failed)
        });
    }
    for _ in 0..3 {
        timeout(Duration::from_secs(20), queue.connected()).await.unwrap();
        assert!(vhost.close_connections("publish").await > 0);
        // The broker's list lags: wait until the cut one is gone from it.
        eventually("it is cut", async || queue.writable().is_err().then_some(())).await;
    }
    timeout(Duration::from_secs(20), queue.connected()).await.unwrap();
    stop.store(true, Ordering::Relaxed);

    let (mut confirmed, mut failed) = (BTreeSet::new(), 0);
    while let Some(publisher) = publishers.join_next().await {
        let (ok, errors) = publisher.unwrap();
        confirmed.extend(ok);
        failed += errors;
    }
    assert!(failed > 0, "no publish noticed the cuts");
    queue.publish(&[purchase(7 << 40, "u-1", 1)]).await.unwrap();
    confirmed.insert(id(7 << 40));

    let mut deliveries = queue.consume().await.unwrap();
    while !confirmed.is_empty() {
        let delivery = next(&mut *deliveries).await;
        confirmed.remove(&first_id(&delivery.body));
        delivery.receipt.ack().await.unwrap();
    }
}

#[tokio::test]
async fn a_cut_consumer_says_so_for_good_and_its_messages_come_again() {
    let vhost = Vhost::create().await;
    let queue = connected(&vhost).await;
    let mut first = queue.consume().await.unwrap();
    queue.publish(&[purchase(1, "u-1", 1)]).await.unwrap();
    let in_hand = next(&mut *first).await;
    vhost.close_connections("consume").await;
    for _ in 0..3 {
        let ended = timeout(Duration::from_secs(10), first.next()).await.unwrap();
        assert!(matches!(ended, Err(QueueError::Unavailable(_))));
        assert!(first.ready().is_none());
    }
    assert!(in_hand.receipt.ack().await.is_err());

    let mut second = queue.consume().await.unwrap();
    let again = next(&mut *second).await;
    assert_eq!((first_id(&again.body), again.redeliveries), (id(1), 1));
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
    rest.receipt.ack().await.unwrap();

    let letters = eventually("it is dead-lettered", async || {
        let letters = messages(&vhost, "purchases.dead").await;
        (!letters.is_empty()).then_some(letters)
    })
    .await;
    assert_eq!(letters.len(), 1);
    let death = &letters[0]["properties"]["headers"]["x-death"][0];
    assert_eq!((&death["queue"], &death["reason"]), (&json!("purchases"), &json!("rejected")));
    let peeked = eventually("it is back in the queue", async || {
        let peeked = queue.peek_dead(10).await.unwrap();
        (!peeked.is_empty()).then_some(peeked)
    })
    .await;
    assert_eq!(peeked, [b"\xff\0 no envelope".to_vec()]);
    assert!(deliveries.ready().is_none());
}

#[tokio::test]
async fn while_the_broker_blocks_publishers_they_are_refused_and_consumers_go_on() {
    let vhost = Vhost::create().await;
    let (queue, proxy) = proxied(&vhost).await;
    queue.publish(&[purchase(1, "u-1", 1), purchase(2, "u-1", 1)]).await.unwrap();
    let mut deliveries = queue.consume().await.unwrap();
    proxy.block(true);
    eventually("the notice arrives", async || queue.writable().is_err().then_some(())).await;
    for _ in 0..3 {
        let asked = Instant::now();
        let error = queue.publish(&[purchase(3, "u-1", 1)]).await.unwrap_err();
        assert!(matches!(error, QueueError::Refused(_)), "{error}");
        assert!(asked.elapsed() < Duration::from_millis(100));
    }
    queue.status().await.unwrap();
    // The proxy told this connection too, which a broker would not: it never publishes.
    assert_eq!(first_id(&next(&mut *deliveries).await.body), id(1));

    proxy.block(false);
    eventually("publishers may go on", async || queue.writable().ok()).await;
    queue.publish(&[purchase(4, "u-1", 1)]).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_pauses_costs_time_outs_and_nothing_else() {
    let vhost = Vhost::create().await;
    let (queue, proxy) = proxied(&vhost).await;
    proxy.pause(true);
    for n in 0..3 {
        let asked = Instant::now();
        let error = queue.publish(&[purchase(n, "u-1", 1)]).await.unwrap_err();
        assert!(matches!(error, QueueError::Unavailable(_)), "{error}");
        assert!(asked.elapsed() < Duration::from_secs(1));
    }
    proxy.pause(false);
    eventually("it answers again", async || queue.publish(&[purchase(9, "u-1", 1)]).await.ok())
        .await;
    // On the same connection: the late confirms were simply nobody's any more.
    let mut deliveries = queue.consume().await.unwrap();
    let mut seen = BTreeSet::new();
    while !seen.contains(&id(9)) {
        seen.insert(first_id(&next(&mut *deliveries).await.body));
    }
    assert_eq!(seen, [id(0), id(1), id(2), id(9)].into());
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_confirmed_any_more_is_replaced() {
    let vhost = Vhost::create().await;
    let (queue, proxy) = proxied(&vhost).await;
    proxy.pause(true);
    assert!(queue.publish(&[purchase(1, "u-1", 1)]).await.is_err());
    eventually("it is given up", async || queue.writable().is_err().then_some(())).await;
    is_unavailable_within_a_second(&queue).await;
    proxy.pause(false);
    timeout(Duration::from_secs(20), queue.connected()).await.unwrap();
    queue.publish(&[purchase(2, "u-1", 1)]).await.unwrap();
}

#[tokio::test]
async fn a_crowd_of_publishers_waits_in_line_and_is_served() {
    let vhost = Vhost::create().await;
    let queue = connected(&vhost).await;
    let crowd = (0..1_000).map(|n| {
        let queue = &queue;
        async move { queue.publish(&[purchase(n, "u-1", 1)]).await }
    });
    futures::future::try_join_all(crowd).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_walks_away_disturbs_nobody() {
    let vhost = Vhost::create().await;
    let queue = connected(&vhost).await;
    for n in 0..50 {
        let gone = [purchase(1_000 + n, "u-1", 1)];
        let gone = timeout(Duration::from_micros(50 * n as u64), queue.publish(&gone));
        let stays = [purchase(n, "u-1", 1)];
        let (_, stays) = tokio::join!(gone, queue.publish(&stays));
        stays.unwrap();
    }
}

#[tokio::test]
async fn closing_publishes_what_is_in_line_and_refuses_the_rest() {
    let vhost = Vhost::create().await;
    let queue = connected(&vhost).await;
    let batches: Vec<_> = (0..100).map(|n| [purchase(n, "u-1", 1)]).collect();
    let mut publishing: futures::stream::FuturesUnordered<_> =
        batches.iter().map(|batch| queue.publish(batch)).collect();
    // The first answer is in: the others are in line or on their way.
    futures::StreamExt::next(&mut publishing).await.unwrap().unwrap();
    let rest: Vec<_> = {
        let (rest, ()) = tokio::join!(
            futures::StreamExt::collect::<Vec<Result<(), QueueError>>>(publishing),
            queue.close(),
        );
        rest
    };
    let confirmed = 1 + rest.iter().filter(|answer| answer.is_ok()).count();
    assert!(rest.iter().all(|a| matches!(a, Ok(()) | Err(QueueError::Unavailable(_)))), "{rest:?}");
    is_unavailable_within_a_second(&queue).await;

    let other = connected(&vhost).await;
    eventually("what was confirmed is there", async || {
        (other.status().await.unwrap().depth as usize >= confirmed).then_some(())
    })
    .await;
    assert!(confirmed >= 64, "{confirmed} confirmed");
}

#[tokio::test]
async fn a_cut_subscription_says_so_for_good() {
    let vhost = Vhost::create().await;
    let bus = RabbitBus::new(Broker::new(&vhost.config()).unwrap());
    bus.connected().await;
    let mut subscription = bus.subscribe().await.unwrap();
    vhost.close_connections("subscribe").await;
    for _ in 0..3 {
        assert!(timeout(Duration::from_secs(10), subscription.next()).await.unwrap().is_err());
    }
    let mut again = bus.subscribe().await.unwrap();
    bus.publish(&[stock()]).await.unwrap();
    assert_eq!(again.next().await.unwrap(), stock());
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
