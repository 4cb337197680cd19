//! What only a real broker can do to us.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A panic is how a test fails.

mod outages;
mod publishing;
mod topology;

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::adapters::rabbitmq::{Broker, RabbitQueue};
use shared::domain::testing::purchase;
use shared::domain::{TrackingId, envelope};
use shared::ports::{BusMessage, Deliveries, Delivery, PurchaseQueue, QueueError, StockUpdate};
use shared::testing::rabbitmq::Vhost;
use tokio::time::timeout;

async fn connected(vhost: &Vhost) -> RabbitQueue {
    let queue = RabbitQueue::new(Broker::new(&vhost.config()).unwrap());
    queue.connected().await;
    queue
}

async fn next(deliveries: &mut dyn Deliveries) -> Delivery {
    timeout(Duration::from_secs(10), deliveries.next()).await.expect("a delivery").unwrap()
}

fn first_id(body: &[u8]) -> TrackingId {
    envelope::decode(body).unwrap().purchases[0].id
}

fn stock() -> BusMessage {
    BusMessage::Stock(Arc::new(StockUpdate { stock: vec![], heartbeat: None }))
}

async fn is_unavailable_within_a_second(queue: &RabbitQueue) {
    let asked = Instant::now();
    let error = queue.publish(&[purchase(1, "u-1", 1)]).await.unwrap_err();
    assert!(matches!(error, QueueError::Unavailable(_)), "{error}");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(queue.writable().is_err());
}
