//! Exchanges, queues and bindings: one table, declared by every program before it uses them.
//!
//! `rabbitmq/definitions.json` declares the same to a broker at its start; a test holds the two
//! equal. Declaring what is there already changes nothing.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

/// Where purchases are published; the routing key is [`PURCHASE_KEY`].
pub const PURCHASES: &str = "purchases";
/// Routes a message from the exchange `purchases` to the queue of the same name.
pub const PURCHASE_KEY: &str = "purchase";
/// Dead letters, the broker's and ours; the routing key is [`DEAD_KEY`].
pub const DEAD_LETTERS: &str = "purchases.dlx";
/// Routes a dead letter to [`DEAD_QUEUE`].
pub const DEAD_KEY: &str = "dead";
/// Where dead letters wait for an operator.
pub const DEAD_QUEUE: &str = "purchases.dead";
/// Stock, to every API instance.
pub const STOCK: &str = "stock.updates";
/// Outcomes, to every API instance.
pub const OUTCOMES: &str = "purchase.outcomes";
/// Events for other systems.
pub const EVENTS: &str = "events";

/// How an exchange routes.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Direct,
    Fanout,
    Topic,
}

/// The value of a queue argument.
#[derive(Debug, Clone, Copy)]
enum Argument {
    Text(&'static str),
    Number(i64),
}

/// Durable exchanges.
const EXCHANGES: &[(&str, Kind)] = &[
    (PURCHASES, Kind::Direct),
    (DEAD_LETTERS, Kind::Direct),
    (STOCK, Kind::Fanout),
    (OUTCOMES, Kind::Fanout),
    (EVENTS, Kind::Topic),
];

/// Durable queues with their arguments. The length limit is a policy, so that it can be changed.
const QUEUES: &[(&str, &[(&str, Argument)])] = &[
    (
        PURCHASES,
        &[
            ("x-queue-type", Argument::Text("quorum")),
            // A last fuse: reconnects count as deliveries, and must never come near it.
            ("x-delivery-limit", Argument::Number(1_000)),
            ("x-dead-letter-exchange", Argument::Text(DEAD_LETTERS)),
            ("x-dead-letter-routing-key", Argument::Text(DEAD_KEY)),
            ("x-dead-letter-strategy", Argument::Text("at-least-once")),
            ("x-overflow", Argument::Text("reject-publish")),
        ],
    ),
    (
        DEAD_QUEUE,
        &[
            ("x-queue-type", Argument::Text("quorum")),
            // Every look into the queue counts as a delivery.
            ("x-delivery-limit", Argument::Number(1_000_000_000)),
            ("x-overflow", Argument::Text("reject-publish")),
        ],
    ),
];

/// (exchange, routing key, queue)
const BINDINGS: &[(&str, &str, &str)] =
    &[(PURCHASES, PURCHASE_KEY, PURCHASES), (DEAD_LETTERS, DEAD_KEY, DEAD_QUEUE)];

/// Declares everything. Fails where something of the same name is there with other arguments.
pub(super) async fn declare(channel: &Channel) -> Result<(), lapin::Error> {
    for &(name, kind) in EXCHANGES {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(name.into(), kind.into(), options, FieldTable::default()).await?;
    }
    for &(name, arguments) in QUEUES {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare(name.into(), options, table(arguments)).await?;
    }
    for &(exchange, key, queue) in BINDINGS {
        let options = QueueBindOptions::default();
        channel
            .queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default())
            .await?;
    }
    Ok(())
}

/// Fails where something is not there. With which arguments, only its maker is told.
pub(super) async fn look(channel: &Channel) -> Result<(), lapin::Error> {
    for &(name, kind) in EXCHANGES {
        let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
        channel.exchange_declare(name.into(), kind.into(), options, FieldTable::default()).await?;
    }
    for &(name, _) in QUEUES {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        channel.queue_declare(name.into(), options, FieldTable::default()).await?;
    }
    Ok(())
}

fn table(arguments: &[(&str, Argument)]) -> FieldTable {
    let mut table = FieldTable::default();
    for &(key, value) in arguments {
        let value = match value {
            Argument::Text(text) => AMQPValue::LongString(text.into()),
            Argument::Number(number) => AMQPValue::LongLongInt(number),
        };
        table.insert(key.into(), value);
    }
    table
}

impl From<Kind> for ExchangeKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Direct => Self::Direct,
            Kind::Fanout => Self::Fanout,
            Kind::Topic => Self::Topic,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value, json};

    use super::*;

    const DEFINITIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../rabbitmq/definitions.json");

    /// The entries of one list without the vhost, in no order.
    fn defined(list: &str) -> HashSet<Value> {
        let text = std::fs::read_to_string(DEFINITIONS).unwrap();
        let all: Value = serde_json::from_str(&text).unwrap();
        let entries = all[list].as_array().unwrap().iter().cloned();
        entries
            .map(|mut entry| {
                entry.as_object_mut().unwrap().remove("vhost");
                entry
            })
            .collect()
    }

    #[test]
    fn the_exchanges_equal_those_of_the_definitions() {
        let declared = EXCHANGES.iter().map(|&(name, kind)| {
            let kind = format!("{kind:?}").to_lowercase();
            json!({ "name": name, "type": kind, "durable": true, "auto_delete": false,
                    "internal": false, "arguments": {} })
        });
        assert_eq!(declared.collect::<HashSet<_>>(), defined("exchanges"));
    }

    #[test]
    fn the_queues_equal_those_of_the_definitions() {
        let declared = QUEUES.iter().map(|&(name, arguments)| {
            let arguments = arguments.iter().map(|&(key, value)| match value {
                Argument::Text(text) => (key.to_owned(), json!(text)),
                Argument::Number(number) => (key.to_owned(), json!(number)),
            });
            json!({ "name": name, "durable": true, "auto_delete": false,
                    "arguments": arguments.collect::<serde_json::Map<_, _>>() })
        });
        assert_eq!(declared.collect::<HashSet<_>>(), defined("queues"));
    }

    #[test]
    fn the_bindings_equal_those_of_the_definitions() {
        let declared = BINDINGS.iter().map(|&(source, key, queue)| {
            json!({ "source": source, "destination_type": "queue", "destination": queue,
                    "routing_key": key, "arguments": {} })
        });
        assert_eq!(declared.collect::<HashSet<_>>(), defined("bindings"));
    }
}
