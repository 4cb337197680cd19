//! The fanouts and the events on RabbitMQ.

use async_trait::async_trait;

use super::broker::Broker;
use super::message::Message;
use super::publisher::Publisher;
use super::subscription::FanoutSubscription;
use crate::ports::{BusError, BusMessage, EventBus, Subscription};

/// `stock.updates`, `purchase.outcomes` and `events`.
pub struct RabbitBus {
    broker: Broker,
    publisher: Publisher,
}

impl RabbitBus {
    /// Starts connecting in the background; until that has worked, publishes fail at once. Must be
    /// called within a tokio runtime.
    pub fn new(broker: Broker) -> Self {
        Self { publisher: Publisher::start(broker.clone(), "bus"), broker }
    }

    /// Waits until messages can be published. Without end: bound it.
    pub async fn connected(&self) {
        self.publisher.connected().await;
    }

    /// Publishes what is in line, waits for the confirms and closes.
    pub async fn close(&self) {
        self.publisher.close().await;
    }
}

#[async_trait]
impl EventBus for RabbitBus {
    async fn publish(&self, messages: &[BusMessage]) -> Result<(), BusError> {
        Ok(self.publisher.publish_all(messages.iter().map(Message::on_bus)).await?)
    }

    async fn subscribe(&self) -> Result<Box<dyn Subscription>, BusError> {
        Ok(Box::new(FanoutSubscription::open(&self.broker).await?))
    }
}
