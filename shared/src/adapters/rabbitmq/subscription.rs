//! One instance's view of the fanouts: an exclusive, bounded queue bound to both.
//!
//! The queue drops its oldest messages rather than hold the publishers up. So that no loss goes
//! unnoticed, what it drops is dead-lettered to a second queue: a message there ends the
//! subscription, and the subscriber starts again with a snapshot.

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer};

use super::broker::Broker;
use super::connection::{Link, LinkError};
use super::message::excerpt;
use super::outcomes;
use super::topology::{OUTCOMES, STOCK};
use crate::ports::{BusError, BusMessage, Subscription};

/// Messages the broker keeps for a subscriber that is behind: several seconds at full rate.
const BACKLOG_MAX: i64 = 4096;
const BACKLOG_BYTES_MAX: i64 = 64 << 20;
/// Messages in hand.
const PREFETCH: u16 = 256;
/// Bytes of an unreadable message that are logged.
const EXCERPT_BYTES: usize = 200;

pub(super) struct FanoutSubscription {
    news: Consumer,
    lost: Consumer,
    /// Why it ended; from then on it only says so.
    failed: Option<BusError>,
    _link: Link,
}

impl FanoutSubscription {
    pub(super) async fn open(broker: &Broker) -> Result<Self, LinkError> {
        let (link, channel) = Link::open(broker, "subscribe").await?;
        let lost_channel = link.channel().await?;
        let lost_queue = declare(&lost_channel, lost_arguments()).await?;
        // Never acknowledged: one is enough to know.
        let lost = consume(&lost_channel, &lost_queue, 1).await?;

        let queue = declare(&channel, backlog_arguments(&lost_queue)).await?;
        for exchange in [STOCK, OUTCOMES] {
            let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
            channel
                .queue_bind(queue.clone(), exchange.into(), "".into(), options, arguments)
                .await?;
        }
        let news = consume(&channel, &queue, PREFETCH).await?;
        Ok(Self { news, lost, failed: None, _link: link })
    }
}

/// A server-named queue that goes with this connection.
async fn declare(channel: &Channel, arguments: FieldTable) -> Result<ShortString, lapin::Error> {
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    Ok(channel.queue_declare("".into(), options, arguments).await?.name().clone())
}

async fn consume(
    channel: &Channel,
    queue: &ShortString,
    prefetch: u16,
) -> Result<Consumer, lapin::Error> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions { exclusive: true, ..Default::default() };
    channel.basic_consume(queue.clone(), "".into(), options, FieldTable::default()).await
}

fn lost_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(1));
    arguments
}

fn backlog_arguments(lost_queue: &ShortString) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(BACKLOG_MAX));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(BACKLOG_BYTES_MAX));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    // The default exchange routes by queue name.
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    let lost_queue = AMQPValue::LongString(lost_queue.as_str().into());
    arguments.insert("x-dead-letter-routing-key".into(), lost_queue);
    arguments
}

#[async_trait]
impl Subscription for FanoutSubscription {
    async fn next(&mut self) -> Result<BusMessage, BusError> {
        loop {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            let why = tokio::select! {
                biased;
                lost = self.lost.next() => match lost {
                    Some(Ok(_)) => "fell behind, messages were dropped".to_owned(),
                    Some(Err(error)) => error.to_string(),
                    None => "the broker ended the subscription".to_owned(),
                },
                news = self.news.next() => match news {
                    Some(Ok(delivery)) => {
                        // Nothing is awaited from here on, so a cancelled call loses no message.
                        acknowledge(&delivery);
                        match read(&delivery) {
                            Some(message) => return Ok(message),
                            None => continue,
                        }
                    }
                    Some(Err(error)) => error.to_string(),
                    None => "the broker ended the subscription".to_owned(),
                },
            };
            self.failed = Some(BusError(why));
        }
    }
}

/// Sends the ack off. Whether it arrives is of no interest: the queue dies with the connection.
fn acknowledge(delivery: &Delivery) {
    let _ = delivery.acker.ack(BasicAckOptions::default()).now_or_never();
}

fn read(delivery: &Delivery) -> Option<BusMessage> {
    let parsed = match delivery.exchange.as_str() {
        STOCK => serde_json::from_slice(&delivery.data).map(BusMessage::Stock),
        _ => outcomes::read(&delivery.data).map(BusMessage::Outcomes),
    };
    parsed
        .inspect_err(|error| {
            let text = String::from_utf8_lossy(&delivery.data[..delivery.data.len().min(1024)]);
            let excerpt = excerpt(&text, EXCERPT_BYTES);
            let exchange = delivery.exchange.as_str();
            tracing::warn!(exchange, %error, excerpt, "unreadable message skipped");
        })
        .ok()
}
