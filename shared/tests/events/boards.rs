//! Whoever listens to events cannot hold back what the boards wait for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shared::adapters::embedded::EmbeddedBus;
use shared::adapters::family;
use shared::config::Config;
use shared::domain::Order;
use shared::domain::testing::id;
use shared::pipeline::events::Events;
use shared::pipeline::relay::{Payer, Relay};
use shared::ports::{
    Announcement, BusError, BusMessage, EventBus, OrderChange, Ports, Subscription,
};
use tokio::time::timeout;

/// Never confirms an event.
struct Stuck(EmbeddedBus);

#[async_trait]
impl EventBus for Stuck {
    async fn publish(&self, messages: &[BusMessage]) -> Result<(), BusError> {
        if messages.iter().any(|message| matches!(message, BusMessage::Event(_))) {
            std::future::pending::<()>().await;
        }
        self.0.publish(messages).await
    }

    async fn subscribe(&self) -> Result<Box<dyn Subscription>, BusError> {
        self.0.subscribe().await
    }
}

#[tokio::test]
async fn boards_are_told_while_events_are_stuck() {
    let Ports { gate, queue, ledger, .. } = family::embedded();
    let bus = Arc::new(Stuck(EmbeddedBus::default()));
    let mut board = bus.subscribe().await.unwrap();
    let events = Events::from_config(&Config::load(None).unwrap().events);
    let (relay, _) = Relay::start(Payer { gate, bus, queue, ledger, events });
    for n in 1..=3 {
        let order = Order::parked(id(n));
        let orders = vec![OrderChange::settled(order.clone())];
        relay.offer(Announcement { orders, ..Announcement::default() });
        let told = timeout(Duration::from_secs(10), board.next()).await.expect("news").unwrap();
        assert_eq!(told, BusMessage::Outcomes(vec![Arc::new(order)]));
    }
}
