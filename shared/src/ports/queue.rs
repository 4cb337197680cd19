//! The purchase queue: where a 202 gets its promise from.

use async_trait::async_trait;

use super::announcement::DeadLetter;
use crate::domain::Purchase;

/// Why the queue did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// The broker is away, or went away before it answered.
    #[error("broker unavailable: {0}")]
    Unavailable(String),
    /// The broker is there and does not take it: full, unroutable or blocked.
    #[error("broker refused: {0}")]
    Refused(String),
}

/// What can be known of the queue without taking anything from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStatus {
    /// Messages (batches of purchases) ready to be delivered.
    pub depth: u64,
    /// Consumers attached.
    pub consumers: u64,
    /// Messages in the dead-letter queue.
    pub dead_letters: u64,
}

/// A durable queue of purchase envelopes with a dead-letter queue behind it.
#[async_trait]
pub trait PurchaseQueue: Send + Sync {
    /// Publishes `purchases` as one persistent message. `Ok` means the broker has it for good:
    /// confirmed, and not returned. On an error the message may or may not have arrived.
    async fn publish(&self, purchases: &[Purchase]) -> Result<(), QueueError>;

    /// Publishes the raw bytes of a dead letter to the dead-letter queue, confirmed.
    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), QueueError>;

    /// Attaches a consumer. What it has in hand when it is dropped is delivered again.
    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError>;

    /// Looks through the oldest `limit` messages of the dead-letter queue. Those that `sieve` lets go
    /// are removed, all others stay where they are. Answers how many were removed; some of them may be
    /// back, as after any acknowledgement that got lost.
    async fn sift_dead(&self, limit: usize, sieve: &dyn Sieve) -> Result<usize, QueueError>;

    /// Depth, consumers and dead letters.
    async fn status(&self) -> Result<QueueStatus, QueueError>;

    /// `Err` while a publish would be refused at once: not connected, or blocked by the broker.
    fn writable(&self) -> Result<(), QueueError>;
}

/// Who says which dead letters may leave their queue.
#[async_trait]
pub trait Sieve: Send + Sync {
    /// Those of these bodies, by their place, that are dealt with and may go.
    async fn dealt_with(&self, bodies: &[Vec<u8>]) -> Vec<usize>;
}

/// What a consumer is handed.
#[async_trait]
pub trait Deliveries: Send {
    /// Waits for the next message. Cancel-safe. An error ends this consumer: drop it with all
    /// that is in hand and attach a new one.
    async fn next(&mut self) -> Result<Delivery, QueueError>;

    /// The next message if one has already arrived.
    fn ready(&mut self) -> Option<Delivery>;
}

/// One message in hand: neither acknowledged nor rejected yet.
pub struct Delivery {
    /// The message body.
    pub body: Vec<u8>,
    /// How often it had been delivered before.
    pub redeliveries: u32,
    /// The way to be rid of it.
    pub receipt: Box<dyn Receipt>,
}

/// Ends one delivery. Dropping it unused leaves the message to be delivered again.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// It is settled, and so is everything its consumer was handed before and has neither
    /// acknowledged nor rejected: the queue may forget them all.
    async fn ack_through(self: Box<Self>) -> Result<(), QueueError>;

    /// It can never be settled: to the dead-letter queue with it.
    async fn reject(self: Box<Self>) -> Result<(), QueueError>;
}
