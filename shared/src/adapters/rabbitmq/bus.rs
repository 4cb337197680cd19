//! The fanouts and the events on RabbitMQ.

use async_trait::async_trait;

use super::broker::Broker;
use super::message::Message;
use super::publisher::Publisher;
use super::subscription::FanoutSubscription;
use crate::ports::{BusError, BusMessage, EventBus, Subscription};

/// `stock.updates`, `purchase.outcomes` and `events`.
///
/// Events have a connection of their own: other systems decide which queues they go to, and a queue
/// that is slow to confirm must not hold back what the boards wait for.
pub struct RabbitBus {
    broker: Broker,
    news: Publisher,
    events: Publisher,
}

impl RabbitBus {
    /// Starts connecting in the background; until that has worked, publishes fail at once. Must be
    /// called within a tokio runtime.
    pub fn new(broker: Broker) -> Self {
        let news = Publisher::start(broker.clone(), "bus");
        let events = Publisher::start(broker.clone(), "events");
        Self { broker, news, events }
    }

    /// Waits until messages can be published. Without end: bound it.
    pub async fn connected(&self) {
        tokio::join!(self.news.connected(), self.events.connected());
    }

    /// Publishes what is in line, waits for the confirms and closes.
    pub async fn close(&self) {
        tokio::join!(self.news.close(), self.events.close());
    }
}

#[async_trait]
impl EventBus for RabbitBus {
    async fn publish(&self, messages: &[BusMessage]) -> Result<(), BusError> {
        let (events, news): (Vec<_>, Vec<_>) =
            messages.iter().partition(|message| matches!(message, BusMessage::Event(_)));
        for (publisher, messages) in [(&self.news, news), (&self.events, events)] {
            if !messages.is_empty() {
                publisher.publish_all(messages.into_iter().map(Message::on_bus)).await?;
            }
        }
        Ok(())
    }

    async fn subscribe(&self) -> Result<Box<dyn Subscription>, BusError> {
        Ok(Box::new(FanoutSubscription::open(&self.broker).await?))
    }
}
