//! The purchase queue on RabbitMQ.

use async_trait::async_trait;

use super::broker::Broker;
use super::consumer::Consumer;
use super::control::Control;
use super::message::Message;
use super::publisher::Publisher;
use crate::domain::Purchase;
use crate::ports::{DeadLetter, Deliveries, PurchaseQueue, QueueError, QueueStatus, Sieve};

/// The quorum queue `purchases` and the dead-letter queue behind it.
pub struct RabbitQueue {
    broker: Broker,
    publisher: Publisher,
    control: Control,
}

impl RabbitQueue {
    /// Starts connecting in the background; until that has worked, publishes fail at once. Must be
    /// called within a tokio runtime.
    pub fn new(broker: Broker) -> Self {
        let publisher = Publisher::start(broker.clone(), "publish");
        Self { publisher, control: Control::new(broker.clone()), broker }
    }

    /// Waits until purchases can be published. Without end: bound it.
    pub async fn connected(&self) {
        self.publisher.connected().await;
    }

    /// Publishes what is in line, waits for the confirms and closes. Publishes are refused from
    /// then on. Consumers live on until they are dropped.
    pub async fn close(&self) {
        tokio::join!(self.publisher.close(), self.control.close());
    }
}

#[async_trait]
impl PurchaseQueue for RabbitQueue {
    async fn publish(&self, purchases: &[Purchase]) -> Result<(), QueueError> {
        if purchases.is_empty() {
            return Ok(()); // An envelope must carry something.
        }
        // Asked before encoding, so that refusing a crowd costs nothing.
        self.writable()?;
        Ok(self.publisher.publish(Message::purchases(purchases)).await?)
    }

    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        Ok(self.publisher.publish(Message::dead_letter(letter)).await?)
    }

    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        Ok(Box::new(Consumer::attach(&self.broker).await?))
    }

    async fn sift_dead(&self, limit: usize, sieve: &dyn Sieve) -> Result<usize, QueueError> {
        self.control.sift_dead(limit, sieve).await
    }

    async fn status(&self) -> Result<QueueStatus, QueueError> {
        self.control.status().await
    }

    fn writable(&self) -> Result<(), QueueError> {
        Ok(self.publisher.writable()?)
    }
}
