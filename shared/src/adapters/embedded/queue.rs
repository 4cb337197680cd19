//! The purchase queue within one process, with real acknowledgement, redelivery and dead-lettering.
//!
//! It hands messages out as RabbitMQ does: in turn to the consumers that have fewer than a prefetch
//! in hand. What a consumer had in hand when it was dropped comes first again, in its old order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::domain::{Purchase, envelope};
use crate::ports::{
    DeadLetter, Deliveries, Delivery, PurchaseQueue, QueueError, QueueStatus, Receipt, Sieve,
};

/// Messages a consumer may have in hand.
const PREFETCH: usize = 64;

/// A bounded queue in memory.
pub struct EmbeddedQueue {
    messages_max: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    /// Ready to be delivered, by order of arrival.
    ready: BTreeMap<u64, Message>,
    consumers: BTreeMap<u64, ConsumerState>,
    dead: Vec<Vec<u8>>,
    /// The last number given out, to messages and consumers alike.
    last: u64,
    /// The consumer that was handed the last message; the next one is the next one's.
    turn: u64,
}

#[derive(Clone)]
struct Message {
    body: Arc<[u8]>,
    redeliveries: u32,
}

#[derive(Default)]
struct ConsumerState {
    /// Handed out, not yet ended by a receipt.
    in_hand: BTreeMap<u64, Message>,
    /// Those of `in_hand` that it has not been given yet.
    waiting: VecDeque<u64>,
    /// Those of `in_hand` that it has been given, in this order.
    given: VecDeque<u64>,
    arrived: Arc<Notify>,
}

impl EmbeddedQueue {
    /// A queue that refuses more than `messages_max` messages, in hand or ready.
    pub fn new(messages_max: usize) -> Self {
        Self { messages_max, shared: Arc::default() }
    }

    /// Every message of the dead-letter queue.
    pub fn dead_messages(&self) -> Vec<Vec<u8>> {
        self.shared.lock().dead.clone()
    }

    /// Every message, with how often it was delivered before and the consumer who has it in hand.
    pub fn messages(&self) -> Vec<(Vec<u8>, u32, Option<u64>)> {
        let state = self.shared.lock();
        let shown =
            |message: &Message, consumer| (message.body.to_vec(), message.redeliveries, consumer);
        let ready = state.ready.values().map(|message| shown(message, None));
        let in_hand = state.consumers.iter().flat_map(|(id, consumer)| {
            consumer.in_hand.values().map(|message| shown(message, Some(*id)))
        });
        ready.chain(in_hand).collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn len(&self) -> usize {
        self.ready.len() + self.consumers.values().map(|c| c.in_hand.len()).sum::<usize>()
    }

    /// Hands ready messages to the consumers in turn.
    fn dispatch(&mut self) {
        while let Some(consumer) = self.next_free() {
            let Some((number, message)) = self.ready.pop_first() else { return };
            if let Some(state) = self.consumers.get_mut(&consumer) {
                state.in_hand.insert(number, message);
                state.waiting.push_back(number);
                state.arrived.notify_one();
            }
            self.turn = consumer;
        }
    }

    /// The next consumer in turn that has room.
    fn next_free(&self) -> Option<u64> {
        let free =
            |(id, state): (&u64, &ConsumerState)| (state.in_hand.len() < PREFETCH).then_some(*id);
        let mut after = self.consumers.range(self.turn + 1..);
        after.find_map(free).or_else(|| self.consumers.range(..=self.turn).find_map(free))
    }

    /// Ends a delivery: nothing if its consumer is gone, for then the message is not in hand.
    fn take(&mut self, consumer: u64, number: u64) -> Option<Message> {
        let consumer = self.consumers.get_mut(&consumer)?;
        let message = consumer.in_hand.remove(&number);
        consumer.given.retain(|given| *given != number);
        self.dispatch();
        message
    }
}

#[async_trait]
impl PurchaseQueue for EmbeddedQueue {
    async fn publish(&self, purchases: &[Purchase]) -> Result<(), QueueError> {
        if purchases.is_empty() {
            return Ok(()); // An envelope must carry something.
        }
        let body = envelope::encode(purchases).into();
        let mut state = self.shared.lock();
        if state.len() >= self.messages_max {
            return Err(QueueError::Refused("queue full".into()));
        }
        let number = state.number();
        state.ready.insert(number, Message { body, redeliveries: 0 });
        state.dispatch();
        Ok(())
    }

    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        self.shared.lock().dead.push(letter.body.clone());
        Ok(())
    }

    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        let mut state = self.shared.lock();
        let id = state.number();
        let consumer = ConsumerState::default();
        let arrived = consumer.arrived.clone();
        state.consumers.insert(id, consumer);
        state.dispatch();
        Ok(Box::new(Consumer { id, arrived, shared: self.shared.clone() }))
    }

    async fn sift_dead(&self, limit: usize, sieve: &dyn Sieve) -> Result<usize, QueueError> {
        let bodies: Vec<_> = self.shared.lock().dead.iter().take(limit).cloned().collect();
        let dealt_with = sieve.dealt_with(&bodies).await;
        let mut state = self.shared.lock();
        let before = state.dead.len();
        for body in dealt_with.into_iter().filter_map(|place| bodies.get(place)) {
            // By body, for somebody else may have removed some meanwhile.
            if let Some(place) = state.dead.iter().position(|dead| dead == body) {
                state.dead.remove(place);
            }
        }
        Ok(before - state.dead.len())
    }

    async fn status(&self) -> Result<QueueStatus, QueueError> {
        let state = self.shared.lock();
        Ok(QueueStatus {
            depth: state.ready.len() as u64,
            consumers: state.consumers.len() as u64,
            dead_letters: state.dead.len() as u64,
        })
    }

    fn writable(&self) -> Result<(), QueueError> {
        Ok(())
    }
}

struct Consumer {
    id: u64,
    arrived: Arc<Notify>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Deliveries for Consumer {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        loop {
            if let Some(delivery) = self.ready() {
                return Ok(delivery);
            }
            self.arrived.notified().await;
        }
    }

    fn ready(&mut self) -> Option<Delivery> {
        let mut state = self.shared.lock();
        let consumer = state.consumers.get_mut(&self.id)?;
        let number = consumer.waiting.pop_front()?;
        consumer.given.push_back(number);
        let message = consumer.in_hand.get(&number)?;
        let receipt = EmbeddedReceipt { consumer: self.id, number, shared: self.shared.clone() };
        Some(Delivery {
            body: message.body.to_vec(),
            redeliveries: message.redeliveries,
            receipt: Box::new(receipt),
        })
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let Some(consumer) = state.consumers.remove(&self.id) else { return };
        for (number, message) in consumer.in_hand {
            let redeliveries = message.redeliveries + 1;
            state.ready.insert(number, Message { redeliveries, ..message });
        }
        state.dispatch();
    }
}

struct EmbeddedReceipt {
    consumer: u64,
    number: u64,
    shared: Arc<Shared>,
}

#[async_trait]
impl Receipt for EmbeddedReceipt {
    async fn ack_through(self: Box<Self>) -> Result<(), QueueError> {
        let mut state = self.shared.lock();
        let consumer = state.consumers.get_mut(&self.consumer);
        let holds = |consumer: &&mut ConsumerState| consumer.in_hand.contains_key(&self.number);
        let consumer = consumer.filter(holds).ok_or_else(gone)?;
        while let Some(number) = consumer.given.pop_front() {
            consumer.in_hand.remove(&number);
            if number == self.number {
                break;
            }
        }
        state.dispatch();
        Ok(())
    }

    async fn reject(self: Box<Self>) -> Result<(), QueueError> {
        let mut state = self.shared.lock();
        let message = state.take(self.consumer, self.number).ok_or_else(gone)?;
        state.dead.push(message.body.to_vec());
        Ok(())
    }
}

fn gone() -> QueueError {
    QueueError::Unavailable("the delivery's consumer is gone".into())
}
