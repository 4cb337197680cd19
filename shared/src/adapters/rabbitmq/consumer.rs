//! Deliveries of the purchase queue, acknowledged on the channel they came on.

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, BasicProperties};

use super::broker::Broker;
use super::connection::{Link, LinkError};
use super::topology::PURCHASES;
use crate::ports::{Deliveries, Delivery, QueueError, Receipt};

pub(super) struct Consumer {
    stream: lapin::Consumer,
    /// Why it ended; from then on it only says so.
    failed: Option<QueueError>,
    _link: Link,
}

impl Consumer {
    pub(super) async fn attach(broker: &Broker) -> Result<Self, LinkError> {
        let (link, channel) = Link::open(broker, "consume").await?;
        // lapin's own buffer has no bound: the prefetch comes first.
        channel.basic_qos(broker.settings().prefetch, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let stream = channel
            .basic_consume(PURCHASES.into(), "".into(), options, FieldTable::default())
            .await?;
        Ok(Self { stream, failed: None, _link: link })
    }

    fn accept(
        &mut self,
        item: Option<lapin::Result<lapin::message::Delivery>>,
    ) -> Option<Delivery> {
        let why = match item {
            Some(Ok(delivery)) => return Some(received(delivery)),
            Some(Err(error)) => error.to_string(),
            None => "the broker ended the consumer".to_owned(),
        };
        self.failed = Some(QueueError::Unavailable(why));
        None
    }
}

#[async_trait]
impl Deliveries for Consumer {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        loop {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            let item = self.stream.next().await;
            if let Some(delivery) = self.accept(item) {
                return Ok(delivery);
            }
        }
    }

    fn ready(&mut self) -> Option<Delivery> {
        if self.failed.is_some() {
            return None;
        }
        let item = self.stream.next().now_or_never()?;
        self.accept(item)
    }
}

fn received(delivery: lapin::message::Delivery) -> Delivery {
    Delivery {
        redeliveries: redeliveries(&delivery.properties, delivery.redelivered),
        body: delivery.data,
        receipt: Box::new(AckReceipt(delivery.acker)),
    }
}

/// From `x-delivery-count`, whose type differs between versions. It is absent on a first delivery,
/// and from 4.3 on it does not count what was merely given back, which the flag still tells.
fn redeliveries(properties: &BasicProperties, redelivered: bool) -> u32 {
    let headers = properties.headers().as_ref();
    let count = headers.and_then(|headers| headers.inner().get("x-delivery-count"));
    let counted = match count {
        Some(&AMQPValue::LongLongInt(n)) => n,
        Some(&AMQPValue::LongInt(n)) => n.into(),
        Some(&AMQPValue::LongUInt(n)) => n.into(),
        Some(&AMQPValue::ShortInt(n)) => n.into(),
        Some(&AMQPValue::ShortUInt(n)) => n.into(),
        Some(&AMQPValue::ShortShortInt(n)) => n.into(),
        Some(&AMQPValue::ShortShortUInt(n)) => n.into(),
        _ => 0,
    };
    let counted = u32::try_from(counted.max(0)).unwrap_or(u32::MAX);
    counted.max(u32::from(redelivered))
}

/// The delivery's own acker: after a reconnection its tag means another message on the new channel.
struct AckReceipt(Acker);

#[async_trait]
impl Receipt for AckReceipt {
    async fn ack_through(self: Box<Self>) -> Result<(), QueueError> {
        ended(self.0.ack(BasicAckOptions { multiple: true }).await)
    }

    async fn reject(self: Box<Self>) -> Result<(), QueueError> {
        ended(self.0.reject(BasicRejectOptions { requeue: false }).await)
    }
}

fn ended(result: lapin::Result<bool>) -> Result<(), QueueError> {
    match result {
        Ok(true) => Ok(()),
        Ok(false) => Err(QueueError::Unavailable("the delivery's channel is gone".into())),
        Err(error) => Err(QueueError::Unavailable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(value: Option<AMQPValue>, redelivered: bool) -> u32 {
        let mut headers = FieldTable::default();
        if let Some(value) = value {
            headers.insert("x-delivery-count".into(), value);
        }
        redeliveries(&BasicProperties::default().with_headers(headers), redelivered)
    }

    #[test]
    fn redeliveries_are_read_in_whatever_type_they_come() {
        let cases = [
            (Some(AMQPValue::LongLongInt(3)), true, 3),
            (Some(AMQPValue::LongInt(2)), true, 2),
            (Some(AMQPValue::ShortShortUInt(7)), true, 7),
            (Some(AMQPValue::LongLongInt(-1)), false, 0),
            (Some(AMQPValue::LongLongInt(0)), true, 1),
            (None, true, 1),
            (None, false, 0),
        ];
        for (value, flag, expected) in cases {
            assert_eq!(counted(value.clone(), flag), expected, "{value:?} {flag}");
        }
    }
}
