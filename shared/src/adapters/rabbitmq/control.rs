//! Looking at the queues: on a connection of its own, opened when first needed, because a blocked
//! publishing connection could not even ask.

use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::broker::Broker;
use super::connection::{Link, LinkError};
use super::topology::{DEAD_QUEUE, PURCHASES};
use crate::ports::{QueueError, QueueStatus, Sieve};

const STATUS_TIMEOUT: Duration = Duration::from_secs(2);
const SIFT_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes in hand at once.
const SIFT_BYTES_MAX: usize = 64 << 20;

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

    pub(super) async fn sift_dead(
        &self,
        limit: usize,
        sieve: &dyn Sieve,
    ) -> Result<usize, QueueError> {
        let sifted = async {
            // A channel of its own: closing it gives back at once and in order whatever is in hand
            // and was not acknowledged.
            let channel = self.line().await?.link.channel().await?;
            let removed = sift(&channel, limit, sieve).await;
            channel.close(200, "sifted".into()).await?;
            Ok(removed?)
        };
        self.within(SIFT_TIMEOUT, sifted).await
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

async fn sift(channel: &Channel, limit: usize, sieve: &dyn Sieve) -> Result<usize, lapin::Error> {
    let (mut bodies, mut ackers) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    while bodies.len() < limit && bytes < SIFT_BYTES_MAX {
        let options = BasicGetOptions { no_ack: false };
        let Some(letter) = channel.basic_get(DEAD_QUEUE.into(), options).await? else { break };
        bytes += letter.data.len();
        bodies.push(letter.delivery.data);
        ackers.push(letter.delivery.acker);
    }
    let mut removed = 0;
    for acker in sieve.dealt_with(&bodies).await.into_iter().filter_map(|place| ackers.get(place)) {
        acker.ack(BasicAckOptions::default()).await?;
        removed += 1;
    }
    Ok(removed)
}
