//! A quorum queue of our own, and plain connections to it.

use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    PublisherConfirm,
};
use secrecy::ExposeSecret;
use shared::config;
use tokio::time::timeout;

use super::CONNECT_TIMEOUT;
use super::error::{LimitError, Server};

const PERSISTENT: u8 = 2;
/// Where we are killed the broker deletes the queue by itself, after so long without a consumer.
const EXPIRES_MS: i64 = 600_000;

/// Connections that publish, consume and tidy up, each its own as everywhere: one that the broker
/// blocks stops all writes on it, and what was made must be taken away however the others ended.
pub(super) struct Queue {
    name: ShortString,
    publishing: Link,
    consuming: Link,
    tidying: Link,
    prefetch: u16,
}

struct Link {
    connection: Connection,
    channel: Channel,
}

impl Link {
    async fn open(config: &config::RabbitMq, purpose: &str) -> Result<Self, LimitError> {
        let name = format!("doorbuster limits {purpose} (pid {})", std::process::id());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let attempt = async {
            let connection = Connection::connect(config.url.expose_secret(), properties).await?;
            let channel = connection.create_channel().await?;
            Ok::<_, lapin::Error>(Self { connection, channel })
        };
        let opened = timeout(CONNECT_TIMEOUT, attempt).await;
        opened.map_err(away)?.map_err(away)
    }

    async fn close(self) {
        // An error only says that it is closed already.
        let _ = timeout(CONNECT_TIMEOUT, self.connection.close(200, "goodbye".into())).await;
    }
}

fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LimitError {
    LimitError::at(Server::RabbitMq)(error)
}

/// Fails where the broker is away.
pub(super) async fn reach(config: &config::RabbitMq) -> Result<(), LimitError> {
    Link::open(config, "reach").await?.close().await;
    Ok(())
}

impl Queue {
    /// Declares it: durable, replicated like `purchases`, under a name that nobody else has.
    pub(super) async fn declare(config: &config::RabbitMq) -> Result<Self, LimitError> {
        let publishing = Link::open(config, "publish").await?;
        let consuming = Link::open(config, "consume").await?;
        let tidying = Link::open(config, "tidy").await?;
        publishing.channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(away)?;
        let name = format!("doorbuster.limits.{:016x}", rand::random::<u64>());
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-expires".into(), AMQPValue::LongLongInt(EXPIRES_MS));
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let name = ShortString::from(name);
        let declared = tidying.channel.queue_declare(name.clone(), options, arguments).await;
        declared.map_err(away)?;
        Ok(Self { name, publishing, consuming, tidying, prefetch: config.prefetch })
    }

    /// Writes one message; its confirm is still to come.
    pub(super) async fn publish(&self, body: &[u8]) -> Result<PublisherConfirm, LimitError> {
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into());
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let route = (ShortString::default(), self.name.clone());
        let publish =
            self.publishing.channel.basic_publish(route.0, route.1, options, body, properties);
        publish.await.map_err(away)
    }

    /// Waits for a confirm.
    pub(super) async fn confirmed(confirm: PublisherConfirm) -> Result<(), LimitError> {
        let refused =
            |what: &str| LimitError::Refused { server: Server::RabbitMq, what: what.into() };
        match timeout(CONNECT_TIMEOUT, confirm).await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Ok(_)) => Err(refused("took a message and did not keep it")),
            Ok(Err(error)) => Err(away(error)),
            Err(_) => Err(refused(
                "does not confirm a message; is an alarm of memory or disk on (rabbitmqctl status)?",
            )),
        }
    }

    /// Attaches a consumer that has to acknowledge.
    pub(super) async fn consume(&self) -> Result<Deliveries, LimitError> {
        let channel = &self.consuming.channel;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await.map_err(away)?;
        let (tag, options) = (ShortString::default(), BasicConsumeOptions::default());
        let consumer =
            channel.basic_consume(self.name.clone(), tag, options, FieldTable::default());
        Ok(Deliveries(consumer.await.map_err(away)?))
    }

    /// Forgets what nobody consumed.
    pub(super) async fn purge(&self) -> Result<(), LimitError> {
        let purge =
            self.tidying.channel.queue_purge(self.name.clone(), QueuePurgeOptions::default());
        purge.await.map(drop).map_err(away)
    }

    /// Deletes it, and closes the connections.
    pub(super) async fn delete(self) -> Result<(), LimitError> {
        let delete = self.tidying.channel.queue_delete(self.name, QueueDeleteOptions::default());
        let deleted = delete.await.map(drop).map_err(away);
        tokio::join!(self.publishing.close(), self.consuming.close(), self.tidying.close());
        deleted
    }
}

/// What a consumer is handed.
pub(super) struct Deliveries(Consumer);

impl Deliveries {
    /// The next message. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Delivery, LimitError> {
        let delivery = self.0.next().await;
        delivery.ok_or_else(|| away("the consumer was cancelled"))?.map_err(away)
    }
}
