//! A tap on the purchase queue. When a program dies, what its consumers had in hand is delivered
//! again, as when a broker sees a connection close.

use std::sync::Arc;

use async_trait::async_trait;
use shared::domain::Purchase;
use shared::ports::{
    DeadLetter, Deliveries, Delivery, PurchaseQueue, QueueError, QueueStatus, Receipt, Sieve,
};
use tokio::sync::Mutex;

use super::{Call, Tap};

pub(super) struct TappedQueue {
    tap: Tap,
}

fn unavailable(why: &str) -> QueueError {
    QueueError::Unavailable(why.into())
}

impl TappedQueue {
    pub(super) fn new(tap: Tap) -> Self {
        Self { tap }
    }
}

#[async_trait]
impl PurchaseQueue for TappedQueue {
    async fn publish(&self, purchases: &[Purchase]) -> Result<(), QueueError> {
        let queue = &self.tap.world.queue;
        let deed = async {
            // A client library that publishes again when a confirm was lost.
            if self.tap.world.director.repeats() {
                queue.publish(purchases).await?;
            }
            queue.publish(purchases).await
        };
        self.tap.call(Call::Queue("publish"), unavailable, deed).await
    }

    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        let deed = self.tap.world.queue.publish_dead(letter);
        self.tap.call(Call::Queue("publish_dead"), unavailable, deed).await
    }

    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        let inner = Arc::new(Mutex::new(None));
        // From the first moment on: a program may die before it hears that it has a consumer.
        let (node, held) = (Arc::clone(&self.tap.node), Arc::downgrade(&inner));
        tokio::spawn(async move {
            node.died().await;
            if let Some(held) = held.upgrade() {
                held.lock().await.take();
            }
        });
        let deed = async {
            *inner.lock().await = Some(self.tap.world.queue.consume().await?);
            Ok(())
        };
        self.tap.call(Call::Queue("consume"), unavailable, deed).await?;
        Ok(Box::new(TappedDeliveries { tap: self.tap.clone(), inner }))
    }

    async fn sift_dead(&self, limit: usize, sieve: &dyn Sieve) -> Result<usize, QueueError> {
        let deed = self.tap.world.queue.sift_dead(limit, sieve);
        self.tap.call(Call::Queue("sift_dead"), unavailable, deed).await
    }

    async fn status(&self) -> Result<QueueStatus, QueueError> {
        self.tap.call(Call::Queue("status"), unavailable, self.tap.world.queue.status()).await
    }

    fn writable(&self) -> Result<(), QueueError> {
        self.tap.world.queue.writable()
    }
}

struct TappedDeliveries {
    tap: Tap,
    /// Empty once the program is dead.
    inner: Arc<Mutex<Option<Box<dyn Deliveries>>>>,
}

#[async_trait]
impl Deliveries for TappedDeliveries {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        self.tap.node.running().await;
        let delivery = {
            let mut inner = self.inner.lock().await;
            let Some(inner) = inner.as_mut() else { return std::future::pending().await };
            tokio::select! {
                biased;
                () = self.tap.node.died() => None,
                delivery = inner.next() => Some(delivery?),
            }
        };
        // Dead: its hands are empty now.
        let Some(delivery) = delivery else { return std::future::pending().await };
        // Not cancel-safe from here on, and need not be: a consumer that is told to stop leaves.
        self.tap.call(Call::Queue("next"), unavailable, async { Ok(()) }).await?;
        Ok(tapped(&self.tap, delivery))
    }

    fn ready(&mut self) -> Option<Delivery> {
        let delivery = self.inner.try_lock().ok()?.as_mut()?.ready()?;
        Some(tapped(&self.tap, delivery))
    }
}

fn tapped(tap: &Tap, delivery: Delivery) -> Delivery {
    let receipt = Box::new(TappedReceipt { tap: tap.clone(), inner: delivery.receipt });
    Delivery { receipt, ..delivery }
}

struct TappedReceipt {
    tap: Tap,
    inner: Box<dyn Receipt>,
}

#[async_trait]
impl Receipt for TappedReceipt {
    async fn ack_through(self: Box<Self>) -> Result<(), QueueError> {
        let deed = self.inner.ack_through();
        self.tap.call(Call::Queue("ack"), unavailable, deed).await
    }

    async fn reject(self: Box<Self>) -> Result<(), QueueError> {
        self.tap.call(Call::Queue("reject"), unavailable, self.inner.reject()).await
    }
}
