//! A broker that is away, cuts connections, blocks publishers or pauses.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shared::adapters::rabbitmq::{Broker, RabbitBus, RabbitQueue};
use shared::domain::testing::{id, purchase};
use shared::ports::{EventBus, PurchaseQueue, QueueError};
use shared::testing::eventually;
use shared::testing::proxy::Proxy;
use shared::testing::rabbitmq::{Vhost, config};
use shared::testing::sieve::peek_dead;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::{connected, first_id, is_unavailable_within_a_second, next, stock};

/// A queue behind a proxy, with a short confirm time-out.
async fn proxied(vhost: &Vhost) -> (RabbitQueue, Proxy) {
    let proxy = Proxy::start(&vhost.url()).await;
    let mut config = config(proxy.url());
    config.confirm_timeout = Duration::from_millis(250);
    let queue = RabbitQueue::new(Broker::new(&config).unwrap());
    queue.connected().await;
    (queue, proxy)
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
    assert!(peek_dead(&queue, 1).await.is_err());
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
                let answer = timeout(Duration::from_secs(15), publishing).await.expect("an answer");
                if answer.is_ok() {
                    assert!(confirmed.insert(purchase.id));
                } else {
                    failed += 1;
                    tokio::task::yield_now().await;
                }
            }
            (confirmed, failed)
        });
    }
    for _ in 0..2 {
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
    // The broker's list lags: it may have cut the new connection too.
    eventually("it goes on", async || queue.publish(&[purchase(7 << 40, "u-1", 1)]).await.ok())
        .await;
    confirmed.insert(id(7 << 40));

    let mut deliveries = queue.consume().await.unwrap();
    while !confirmed.is_empty() {
        let delivery = next(&mut *deliveries).await;
        confirmed.remove(&first_id(&delivery.body));
        delivery.receipt.ack_through().await.unwrap();
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
    assert!(in_hand.receipt.ack_through().await.is_err());

    let mut second = queue.consume().await.unwrap();
    let again = next(&mut *second).await;
    assert_eq!((first_id(&again.body), again.redeliveries), (id(1), 1));
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
