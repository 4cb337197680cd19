//! Listening to the broker like another system.

use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};

/// A queue of one's own for what `exchange` tells under `key`, as any outside listener has one.
pub async fn listen(url: &str, exchange: &str, key: &str) -> (Connection, Consumer) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let declare = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), declare, FieldTable::default()).await.unwrap();
    let (name, bind) = (queue.name().clone(), QueueBindOptions::default());
    channel
        .queue_bind(name.clone(), exchange.into(), key.into(), bind, FieldTable::default())
        .await
        .unwrap();
    let consume = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer = channel.basic_consume(name, "".into(), consume, FieldTable::default()).await;
    (connection, consumer.unwrap())
}
