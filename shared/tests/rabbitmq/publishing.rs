//! Crowds of callers, callers that leave, and closing time.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use shared::domain::testing::purchase;
use shared::ports::{PurchaseQueue, QueueError};
use shared::testing::eventually;
use shared::testing::rabbitmq::Vhost;
use tokio::time::timeout;

use crate::{connected, is_unavailable_within_a_second};

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
    let mut publishing: FuturesUnordered<_> =
        batches.iter().map(|batch| queue.publish(batch)).collect();
    // The first answer is in: the others are in line or on their way.
    publishing.next().await.unwrap().unwrap();
    let (rest, ()) = tokio::join!(publishing.collect::<Vec<_>>(), queue.close());
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
