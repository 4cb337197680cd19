//! Looking at the queues: on a connection of its own, opened when first needed, because a blocked
//! publishing connection could not even ask.

use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::broker::Broker;
use super::connection::{Link, LinkError};
use super::message::PARKED;
use super::topology::{DEAD_QUEUE, PURCHASES};
use crate::ports::{QueueError, QueueStatus};

const STATUS_TIMEOUT: Duration = Duration::from_secs(2);
const PEEK_TIMEOUT: Duration = Duration::from_secs(30);
/// Letters looked at in one peek: ours are passed over, and all stay in hand until the end.
const PEEK_SCAN_MAX: usize = 10_000;
/// Bytes copied in one peek.
const PEEK_BYTES_MAX: usize = 64 << 20;

pub(super) struct Control {
    broker: Broker,
    line: Mutex<Option<Line>>,
}

#[derive(Clone)]
struct Line {
    link: Arc<Link>,
    channel: Channel,
}

impl Line {
    fn is_open(&self) -> bool {
        self.link.status().connected() && self.channel.status().connected()
    }
}

impl Control {
    pub(super) fn new(broker: Broker) -> Self {
        Self { broker, line: Mutex::new(None) }
    }

    pub(super) async fn status(&self) -> Result<QueueStatus, QueueError> {
        let asked = async {
            let Line { channel, .. } = self.line().await?;
            let queue = passive(&channel, PURCHASES).await?;
            let dead = passive(&channel, DEAD_QUEUE).await?;
            Ok(QueueStatus {
                depth: queue.message_count().into(),
                consumers: queue.consumer_count().into(),
                dead_letters: dead.message_count().into(),
            })
        };
        self.within(STATUS_TIMEOUT, asked).await
    }

    pub(super) async fn peek_dead(&self, limit: usize) -> Result<Vec<Vec<u8>>, QueueError> {
        let looked = async {
            // A channel of its own: closing it gives back everything at once and in order.
            let channel = self.line().await?.link.channel().await?;
            let found = peek(&channel, limit).await;
            channel.close(200, "looked".into()).await?;
            Ok(found?)
        };
        self.within(PEEK_TIMEOUT, looked).await
    }

    pub(super) async fn close(&self) {
        // Others may still hold the line for the moment; it closes when they let go of it.
        if let Some(link) = self.line.lock().await.take().and_then(|l| Arc::into_inner(l.link)) {
            link.close().await;
        }
    }

    /// The open connection, or a new one.
    async fn line(&self) -> Result<Line, LinkError> {
        let mut held = self.line.lock().await;
        if let Some(line) = held.as_ref().filter(|line| line.is_open()) {
            return Ok(line.clone());
        }
        let (link, channel) = Link::open(&self.broker, "control").await?;
        let line = Line { link: Arc::new(link), channel };
        *held = Some(line.clone());
        Ok(line)
    }

    async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, LinkError>>,
    ) -> Result<T, QueueError> {
        if let Ok(result) = timeout(limit, work).await {
            return Ok(result?);
        }
        // Whatever does not answer is not worth keeping.
        self.line.lock().await.take();
        Err(LinkError::Timeout(limit).into())
    }
}

async fn passive(channel: &Channel, queue: &str) -> Result<lapin::Queue, lapin::Error> {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await
}

async fn peek(channel: &Channel, limit: usize) -> Result<Vec<Vec<u8>>, lapin::Error> {
    let mut found = Vec::new();
    let mut bytes = 0;
    for _ in 0..PEEK_SCAN_MAX {
        if found.len() >= limit || bytes >= PEEK_BYTES_MAX {
            break;
        }
        let options = BasicGetOptions { no_ack: false };
        let Some(letter) = channel.basic_get(DEAD_QUEUE.into(), options).await? else { break };
        if !parked_by_us(&letter) {
            bytes += letter.data.len();
            found.push(letter.delivery.data);
        }
    }
    Ok(found)
}

fn parked_by_us(letter: &Delivery) -> bool {
    letter.properties.headers().as_ref().is_some_and(|headers| headers.contains_key(PARKED))
}
