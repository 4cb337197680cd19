//! `RabbitMQ` alone: how fast a quorum queue confirms, and how fast it confirms and delivers at once.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::{Duration, Instant};

use lapin::options::BasicAckOptions;
use serde::{Deserialize, Serialize};
use shared::config;

use super::error::{LimitError, Server};
use super::ground::{Ground, Pace};
use super::queue::Queue;

/// Purchases in a message: alone, and up to `admit.batch_max`.
const BATCHES: [usize; 5] = [1, 16, 64, 256, 512];
/// Messages published and not yet confirmed: more than `admit.rounds`, so that it is the broker that
/// limits, and not the way to it.
const IN_FLIGHT: usize = 4;
/// A purchase as it stands in an envelope: 196 bytes.
const PURCHASE: &str = r#"{"id":"019a9d2e-3c00-8000-8000-9f0c6a1b2c3d","terms":{"productId":1,"userId":"st-0a1b2c3d-12345","quantity":1,"unitPrice":{"minor":99999,"currency":"USD"}},"kind":"buy","acceptedAt":1700000000000}"#;

/// What a quorum queue confirms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirm {
    /// Purchases in a message.
    pub batch: usize,
    /// Whether each message was also delivered and acknowledged in the measured time.
    pub consumed: bool,
    /// Messages published and not yet confirmed at any time.
    pub in_flight: usize,
    /// Bytes of a message.
    pub message_bytes: usize,
    /// Messages per second.
    pub messages_per_s: f64,
    /// Purchases per second.
    pub purchases_per_s: f64,
}

/// Publishes persistent, mandatory messages to a queue of its own, without and with a consumer.
pub async fn measure(
    config: &config::RabbitMq,
    ground: &Ground<'_>,
) -> Result<Vec<Confirm>, LimitError> {
    let queue = Queue::declare(config).await?;
    let found = ground.unless_stopped(all(&queue, ground)).await;
    let deleted = queue.delete().await;
    found.and_then(|found| deleted.map(|()| found))
}

async fn all(queue: &Queue, ground: &Ground<'_>) -> Result<Vec<Confirm>, LimitError> {
    let mut found = Vec::new();
    for consumed in [false, true] {
        for batch in BATCHES {
            let body = envelope(batch);
            let pace = ground.warm(async |time| {
                if consumed {
                    publish_and_consume(queue, &body, time).await
                } else {
                    publish(queue, &body, time).await
                }
            });
            let messages_per_s = pace.await?.per_s();
            let confirm = Confirm {
                batch,
                consumed,
                in_flight: IN_FLIGHT,
                message_bytes: body.len(),
                messages_per_s,
                purchases_per_s: messages_per_s * batch as f64,
            };
            (ground.say)(&confirm.to_string());
            found.push(confirm);
            queue.purge().await?;
        }
    }
    Ok(found)
}

fn envelope(purchases: usize) -> Vec<u8> {
    format!(r#"{{"v":1,"purchases":[{}]}}"#, vec![PURCHASE; purchases].join(",")).into_bytes()
}

/// Counts what was confirmed. One task owns the channel, and asks for the oldest confirm first.
async fn publish(queue: &Queue, body: &[u8], time: Duration) -> Result<Pace, LimitError> {
    let (began, mut done) = (Instant::now(), 0);
    let mut unconfirmed = VecDeque::with_capacity(IN_FLIGHT);
    loop {
        while unconfirmed.len() < IN_FLIGHT && began.elapsed() < time {
            unconfirmed.push_back(queue.publish(body).await?);
        }
        let Some(oldest) = unconfirmed.pop_front() else { break };
        Queue::confirmed(oldest).await?;
        done += 1;
    }
    Ok(Pace::since(began, done))
}

/// Counts what was confirmed, delivered and acknowledged, to the last message.
async fn publish_and_consume(
    queue: &Queue,
    body: &[u8],
    time: Duration,
) -> Result<Pace, LimitError> {
    let mut deliveries = queue.consume().await?;
    let (began, mut acknowledged) = (Instant::now(), 0);
    let mut publishing = pin!(publish(queue, body, time));
    let mut published = None;
    while published != Some(acknowledged) {
        tokio::select! {
            pace = &mut publishing, if published.is_none() => published = Some(pace?.done()),
            delivery = deliveries.next() => {
                let acker = delivery?.acker;
                acker.ack(BasicAckOptions::default()).await.map_err(LimitError::at(Server::RabbitMq))?;
                acknowledged += 1;
            }
        }
    }
    Ok(Pace::since(began, acknowledged))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_what_the_worker_reads() {
        let decoded = shared::domain::envelope::decode(&envelope(16)).unwrap();
        assert_eq!(decoded.purchases.len(), 16);
        assert_eq!(shared::domain::envelope::encode(&decoded.purchases), envelope(16));
    }
}
