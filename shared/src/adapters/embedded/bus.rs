//! The event bus within one process.

use async_trait::async_trait;
use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::ports::{BusError, BusMessage, Event, EventBus, Subscription};

/// Messages kept for a subscriber that is behind, as on RabbitMQ.
const BACKLOG_MAX: usize = 4096;

/// Fanouts to the subscribers of this process. A subscriber that falls too far behind gets an
/// error, so that it takes a snapshot again.
pub struct EmbeddedBus {
    sender: Sender<BusMessage>,
    events: Sender<Event>,
}

impl EmbeddedBus {
    /// A bus without subscribers.
    pub fn new() -> Self {
        Self::with_backlog(BACKLOG_MAX)
    }

    /// A bus whose subscribers may be so many messages behind.
    pub fn with_backlog(messages_max: usize) -> Self {
        Self {
            sender: broadcast::channel(messages_max).0,
            events: broadcast::channel(messages_max).0,
        }
    }

    /// The events for other systems from now on, as a queue bound to `events` would get them.
    pub fn events(&self) -> Receiver<Event> {
        self.events.subscribe()
    }
}

impl Default for EmbeddedBus {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl EventBus for EmbeddedBus {
    async fn publish(&self, messages: &[BusMessage]) -> Result<(), BusError> {
        for message in messages {
            // An error only says that nobody is listening.
            match message {
                BusMessage::Event(event) => drop(self.events.send(event.clone())),
                news => drop(self.sender.send(news.clone())),
            }
        }
        Ok(())
    }

    async fn subscribe(&self) -> Result<Box<dyn Subscription>, BusError> {
        Ok(Box::new(Subscriber { receiver: self.sender.subscribe(), failed: None }))
    }
}

struct Subscriber {
    receiver: Receiver<BusMessage>,
    /// Why it ended; from then on it only says so.
    failed: Option<BusError>,
}

#[async_trait]
impl Subscription for Subscriber {
    async fn next(&mut self) -> Result<BusMessage, BusError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.receiver.recv().await.map_err(|error| {
            let error = BusError(format!("subscription ended: {error}"));
            self.failed.insert(error).clone()
        })
    }
}
