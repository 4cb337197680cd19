//! The conformance suite of the `PurchaseQueue` port, run against every adapter.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A panic is how a test fails.

mod dead_letters;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use rstest::rstest;
use shared::adapters::embedded::EmbeddedQueue;
use shared::adapters::rabbitmq::{Broker, RabbitQueue};
use shared::domain::testing::{id, purchase};
use shared::domain::{Purchase, TrackingId, envelope};
use shared::ports::{Deliveries, Delivery, PurchaseQueue, QueueError};
use shared::testing::Family::{self, Embedded, Real};
use shared::testing::eventually;
use shared::testing::rabbitmq::Vhost;
use tokio::time::timeout;

/// A queue of one test, on a virtual host of its own where there are such.
struct Subject {
    queue: Arc<dyn PurchaseQueue>,
    _vhost: Option<Vhost>,
}

impl std::ops::Deref for Subject {
    type Target = dyn PurchaseQueue;
    fn deref(&self) -> &Self::Target {
        &*self.queue
    }
}

async fn queue(family: Family) -> Subject {
    limited(family, None).await
}

async fn limited(family: Family, messages_max: Option<u32>) -> Subject {
    if family == Embedded {
        let queue = EmbeddedQueue::new(messages_max.unwrap_or(1_000) as usize);
        return Subject { queue: Arc::new(queue), _vhost: None };
    }
    let vhost = Vhost::create().await;
    let queue = RabbitQueue::new(Broker::new(&vhost.config()).unwrap());
    queue.connected().await;
    if let Some(messages_max) = messages_max {
        vhost.limit("purchases", messages_max).await;
    }
    Subject { queue: Arc::new(queue), _vhost: Some(vhost) }
}

async fn publish(queue: &dyn PurchaseQueue, numbers: impl IntoIterator<Item = u128>) {
    for n in numbers {
        queue.publish(&[purchase(n, "u-1", 1)]).await.unwrap();
    }
}

/// The next delivery, if it comes within ten seconds.
async fn next(deliveries: &mut dyn Deliveries) -> Delivery {
    timeout(Duration::from_secs(10), deliveries.next()).await.expect("a delivery").unwrap()
}

fn ids(delivery: &Delivery) -> Vec<TrackingId> {
    envelope::decode(&delivery.body).unwrap().purchases.iter().map(|p| p.id).collect()
}

#[rstest]
#[tokio::test]
async fn what_is_published_is_delivered_once_and_in_order(
    #[values(Real, Embedded)] family: Family,
) {
    let queue = queue(family).await;
    let batches: Vec<Vec<Purchase>> =
        (0..20).map(|n| (0..3).map(|k| purchase(n * 3 + k, "u-1", 1)).collect()).collect();
    for batch in &batches {
        queue.publish(batch).await.unwrap();
    }
    let mut deliveries = queue.consume().await.unwrap();
    for batch in batches {
        let delivery = next(&mut *deliveries).await;
        assert_eq!(envelope::decode(&delivery.body).unwrap().purchases, batch);
        assert_eq!(delivery.redeliveries, 0);
        delivery.receipt.ack_through().await.unwrap();
    }
    assert!(deliveries.ready().is_none());
}

#[rstest]
#[tokio::test]
async fn an_acknowledged_message_is_forgotten(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    publish(&*queue, 0..3).await;
    let mut first = queue.consume().await.unwrap();
    for _ in 0..3 {
        next(&mut *first).await.receipt.ack_through().await.unwrap();
    }
    drop(first);

    let mut second = queue.consume().await.unwrap();
    publish(&*queue, [7]).await;
    assert_eq!(ids(&next(&mut *second).await), [id(7)]);
}

#[rstest]
#[tokio::test]
async fn acknowledging_passes_over_what_was_rejected_and_what_comes_later(
    #[values(Real, Embedded)] family: Family,
) {
    let queue = queue(family).await;
    publish(&*queue, 0..4).await;
    let mut first = queue.consume().await.unwrap();
    let mut in_hand = Vec::new();
    for _ in 0..4 {
        in_hand.push(next(&mut *first).await);
    }
    in_hand.remove(1).receipt.reject().await.unwrap();
    in_hand.remove(1).receipt.ack_through().await.unwrap();
    drop((first, in_hand));

    eventually("the rejected one is a dead letter, the last one is back", async || {
        let status = queue.status().await.unwrap();
        ((status.dead_letters, status.depth) == (1, 1)).then_some(())
    })
    .await;
    let mut second = queue.consume().await.unwrap();
    assert_eq!(ids(&next(&mut *second).await), [id(3)]);
}

#[rstest]
#[tokio::test]
async fn what_a_dropped_consumer_had_in_hand_comes_again_first_and_in_order(
    #[values(Real, Embedded)] family: Family,
) {
    let queue = queue(family).await;
    publish(&*queue, 0..4).await;
    let mut first = queue.consume().await.unwrap();
    let mut in_hand = Vec::new();
    for _ in 0..4 {
        in_hand.push(next(&mut *first).await);
    }
    // The first two: what came before it, and itself.
    in_hand.swap_remove(1).receipt.ack_through().await.unwrap();
    drop(first);
    eventually("two are back", async || (queue.status().await.unwrap().depth == 2).then_some(()))
        .await;
    publish(&*queue, [4]).await;

    let mut second = queue.consume().await.unwrap();
    for n in [2, 3] {
        let delivery = next(&mut *second).await;
        assert_eq!(ids(&delivery), [id(n)]);
        assert!(delivery.redeliveries >= 1, "message {n}: {}", delivery.redeliveries);
        delivery.receipt.ack_through().await.unwrap();
    }
    let last = next(&mut *second).await;
    assert_eq!((ids(&last), last.redeliveries), (vec![id(4)], 0));
}

#[rstest]
#[tokio::test]
async fn a_message_that_keeps_coming_back_is_counted(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    publish(&*queue, [1]).await;
    for expected in 0..4 {
        let mut deliveries = queue.consume().await.unwrap();
        assert_eq!(next(&mut *deliveries).await.redeliveries, expected);
    }
}

#[rstest]
#[tokio::test]
async fn a_full_queue_refuses_and_takes_again_when_there_is_room(
    #[values(Real, Embedded)] family: Family,
) {
    let queue = limited(family, Some(3)).await;
    let mut accepted = BTreeSet::new();
    let mut refused = None;
    // The broker's limit is a soft one: a few more than three may fit.
    for n in 0..100 {
        match queue.publish(&[purchase(n, "u-1", 1)]).await {
            Ok(()) => assert!(accepted.insert(id(n))),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    assert!(matches!(refused, Some(QueueError::Refused(_))), "{refused:?}");

    let mut deliveries = queue.consume().await.unwrap();
    for _ in 0..accepted.len() {
        let delivery = next(&mut *deliveries).await;
        assert!(accepted.remove(&ids(&delivery)[0]));
        delivery.receipt.ack_through().await.unwrap();
    }
    eventually("there is room again", async || {
        queue.publish(&[purchase(200, "u-1", 1)]).await.ok()
    })
    .await;
    assert_eq!(ids(&next(&mut *deliveries).await), [id(200)]);
}

#[rstest]
#[tokio::test]
async fn two_consumers_share_the_work(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    let (mut left, mut right) = (queue.consume().await.unwrap(), queue.consume().await.unwrap());
    publish(&*queue, 0..20).await;
    let mut seen = (Vec::new(), Vec::new());
    while seen.0.len() + seen.1.len() < 20 {
        let (delivery, side) = tokio::select! {
            delivery = next(&mut *left) => (delivery, &mut seen.0),
            delivery = next(&mut *right) => (delivery, &mut seen.1),
        };
        side.extend(ids(&delivery));
        delivery.receipt.ack_through().await.unwrap();
    }
    assert!(seen.0.len() >= 5 && seen.1.len() >= 5, "{seen:?}");
    let all: BTreeSet<_> = seen.0.into_iter().chain(seen.1).collect();
    assert_eq!(all, (0..20).map(id).collect());
}

#[rstest]
#[tokio::test]
async fn a_cancelled_wait_loses_nothing(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    let mut deliveries = queue.consume().await.unwrap();
    for n in 0..50 {
        // Polled once, then dropped, before and while a message is on its way.
        let early = deliveries.next().now_or_never();
        assert!(early.is_none());
        publish(&*queue, [n]).await;
        let delivery = eventually("the message is there", async || {
            deliveries.next().now_or_never().map(Result::unwrap)
        })
        .await;
        assert_eq!(ids(&delivery), [id(n)]);
        delivery.receipt.ack_through().await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn what_has_arrived_is_ready_at_once(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    let mut deliveries = queue.consume().await.unwrap();
    assert!(deliveries.ready().is_none());
    publish(&*queue, 0..5).await;
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let delivery = match deliveries.ready() {
            Some(delivery) => delivery,
            None => next(&mut *deliveries).await,
        };
        seen.extend(ids(&delivery));
    }
    assert_eq!(seen, (0..5).map(id).collect::<Vec<_>>());
}

#[rstest]
#[tokio::test]
async fn the_status_tells_depth_and_consumers(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    publish(&*queue, 0..3).await;
    eventually("three are waiting", async || {
        let status = queue.status().await.unwrap();
        ((status.depth, status.consumers) == (3, 0)).then_some(())
    })
    .await;
    let deliveries = queue.consume().await.unwrap();
    eventually("a consumer has them in hand", async || {
        let status = queue.status().await.unwrap();
        ((status.depth, status.consumers) == (0, 1)).then_some(())
    })
    .await;
    drop(deliveries);
    eventually("they are waiting again", async || {
        let status = queue.status().await.unwrap();
        ((status.depth, status.consumers) == (3, 0)).then_some(())
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn an_empty_batch_is_no_message(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    queue.publish(&[]).await.unwrap();
    publish(&*queue, [1]).await;
    let mut deliveries = queue.consume().await.unwrap();
    assert_eq!(ids(&next(&mut *deliveries).await), [id(1)]);
}

#[rstest]
#[tokio::test]
async fn a_queue_that_takes_purchases_says_so(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    queue.writable().unwrap();
}
