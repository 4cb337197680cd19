//! What cannot be settled, and what waits for an operator.

use rstest::rstest;
use shared::domain::testing::id;
use shared::ports::DeadLetter;
use shared::testing::Family::{self, Embedded, Real};
use shared::testing::eventually;
use shared::testing::sieve::{peek_dead, sift_dead};

use crate::{next, publish, queue};

fn letter(text: &str) -> DeadLetter {
    DeadLetter { order_id: Some(id(9)), body: text.into(), error: "value out of range".into() }
}

#[rstest]
#[tokio::test]
async fn a_rejected_message_is_dead_lettered_once(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    publish(&*queue, 0..2).await;
    let mut deliveries = queue.consume().await.unwrap();
    let delivery = next(&mut *deliveries).await;
    let body = delivery.body.clone();
    delivery.receipt.reject().await.unwrap();
    next(&mut *deliveries).await.receipt.ack_through().await.unwrap();

    eventually("the dead letter is counted", async || {
        (queue.status().await.unwrap().dead_letters == 1).then_some(())
    })
    .await;
    assert_eq!(peek_dead(&*queue, 10).await.unwrap(), [body]);
    assert!(deliveries.ready().is_none());
}

#[rstest]
#[tokio::test]
async fn what_is_dealt_with_leaves_and_the_others_stay(#[values(Real, Embedded)] family: Family) {
    let queue = queue(family).await;
    let texts = ["a", "b", "a", "c"];
    for text in texts {
        queue.publish_dead(&letter(text)).await.unwrap();
    }
    let (seen, removed) = sift_dead(&*queue, 10, |body| body == b"a").await.unwrap();
    assert_eq!((seen, removed), (texts.map(Vec::from).to_vec(), 2));
    let left = eventually("the others are back in the queue", async || {
        (queue.status().await.unwrap().dead_letters == 2).then_some(())?;
        Some(peek_dead(&*queue, 10).await.unwrap())
    })
    .await;
    assert_eq!(left, [b"b", b"c"]);
}

#[rstest]
#[tokio::test]
async fn what_the_broker_dead_lettered_and_what_we_parked_lie_in_one_queue(
    #[values(Real, Embedded)] family: Family,
) {
    let queue = queue(family).await;
    queue.publish_dead(&letter("ours")).await.unwrap();
    publish(&*queue, [1]).await;
    let mut deliveries = queue.consume().await.unwrap();
    let delivery = next(&mut *deliveries).await;
    let theirs = delivery.body.clone();
    delivery.receipt.reject().await.unwrap();

    eventually("both are there", async || {
        (queue.status().await.unwrap().dead_letters == 2).then_some(())
    })
    .await;
    assert_eq!(peek_dead(&*queue, 10).await.unwrap(), [b"ours".to_vec(), theirs]);
}

#[rstest]
#[tokio::test]
async fn peeking_takes_no_more_than_asked_and_leaves_everything_in_its_place(
    #[values(Real, Embedded)] family: Family,
) {
    let queue = queue(family).await;
    let mut bodies = Vec::new();
    let mut deliveries = queue.consume().await.unwrap();
    for n in 0..5 {
        publish(&*queue, [n]).await;
        let delivery = next(&mut *deliveries).await;
        bodies.push(delivery.body.clone());
        delivery.receipt.reject().await.unwrap();
        // One at a time, because the broker dead-letters in no certain order.
        eventually("the dead letter is counted", async || {
            let letters = queue.status().await.unwrap().dead_letters;
            (letters as usize == bodies.len()).then_some(())
        })
        .await;
    }
    for limit in [2, 5, 0, 9] {
        let peeked = eventually("all are back in the queue", async || {
            (queue.status().await.unwrap().dead_letters == 5).then_some(())?;
            Some(peek_dead(&*queue, limit).await.unwrap())
        })
        .await;
        assert_eq!(peeked, bodies[..limit.min(5)]);
    }
}
