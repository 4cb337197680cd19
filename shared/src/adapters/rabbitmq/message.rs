//! What is published: route, body, properties.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde::Serialize;

use super::outcomes;
use super::topology::{DEAD_KEY, DEAD_LETTERS, EVENTS, OUTCOMES, PURCHASE_KEY, PURCHASES, STOCK};
use crate::domain::{Purchase, envelope};
use crate::planted::planted;
use crate::ports::{BusMessage, Clock, DeadLetter, Event, SystemClock};

/// Our mark on letters that we parked ourselves, for whoever reads them in the UI. Own headers, because from RabbitMQ 4 on a client
/// cannot say anything about `x-death`.
const PARKED: &str = "doorbuster-parked";
const ORDER_ID: &str = "doorbuster-order-id";
const ERROR: &str = "doorbuster-error";
/// A header frame must fit into one frame (at least 4 KiB).
const ERROR_BYTES_MAX: usize = 1024;

const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// A message on its way to the broker.
pub(super) struct Message {
    pub(super) exchange: &'static str,
    pub(super) routing_key: &'static str,
    /// Return it where no queue is bound.
    pub(super) mandatory: bool,
    /// Names it among those in flight.
    pub(super) id: String,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
    /// Purchases in it, for the metrics.
    pub(super) purchases: usize,
}

impl Message {
    /// A batch of purchases.
    pub(super) fn purchases(purchases: &[Purchase]) -> Self {
        let mut headers = FieldTable::default();
        let count = i64::try_from(purchases.len()).unwrap_or(i64::MAX);
        headers.insert("count".into(), AMQPValue::LongLongInt(count));
        if let Some(traceparent) = purchases.iter().find_map(|p| p.traceparent.as_deref()) {
            headers.insert("traceparent".into(), AMQPValue::LongString(traceparent.into()));
        }
        Self {
            purchases: purchases.len(),
            ..Self::durable(
                (PURCHASES, PURCHASE_KEY),
                "purchases.v1",
                headers,
                envelope::encode(purchases),
            )
        }
    }

    /// A copy of what could not be processed, marked as parked by us.
    pub(super) fn dead_letter(letter: &DeadLetter) -> Self {
        let mut headers = FieldTable::default();
        headers.insert(PARKED.into(), AMQPValue::Boolean(true));
        if let Some(id) = letter.order_id {
            headers.insert(ORDER_ID.into(), AMQPValue::LongString(id.to_string().into()));
        }
        let error = excerpt(&letter.error, ERROR_BYTES_MAX);
        headers.insert(ERROR.into(), AMQPValue::LongString(error.into()));
        Self::durable((DEAD_LETTERS, DEAD_KEY), "dead-letter.v1", headers, letter.body.clone())
    }

    /// What goes over the bus.
    pub(super) fn on_bus(message: &BusMessage) -> Self {
        match message {
            BusMessage::Stock(update) => Self::news(STOCK, "stock.v1", json(update)),
            BusMessage::Outcomes(orders) => {
                Self::news(OUTCOMES, "outcomes.v1", outcomes::write(orders))
            }
            BusMessage::Event(event) => Self::event(event),
        }
    }

    /// News for the API instances. Transient and not mandatory: who is not listening takes a
    /// snapshot later.
    fn news(exchange: &'static str, kind: &'static str, body: Vec<u8>) -> Self {
        let message = Self::durable((exchange, ""), kind, FieldTable::default(), body);
        let properties = message.properties.with_delivery_mode(TRANSIENT);
        Self { mandatory: false, properties, ..message }
    }

    /// An event for other systems, if there are any. The message has the event's ID; among those in
    /// flight it may be there twice, which only a mandatory message must not be.
    fn event(event: &Event) -> Self {
        let route = (EVENTS, event.name);
        let message = Self::durable(route, event.name, FieldTable::default(), event.body.clone());
        let properties = message
            .properties
            .with_content_type(Event::CONTENT_TYPE.into())
            .with_message_id(event.id.as_str().into())
            .with_timestamp(event.at.millis() as u64 / 1000);
        Self { mandatory: false, properties, ..message }
    }

    fn durable(
        (exchange, routing_key): (&'static str, &'static str),
        kind: &'static str,
        headers: FieldTable,
        body: impl Into<Bytes>,
    ) -> Self {
        let id = next_id();
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_type(kind.into())
            .with_app_id("doorbuster".into())
            .with_message_id(id.as_str().into())
            .with_timestamp(SystemClock.now().millis() as u64 / 1000)
            .with_headers(headers);
        Self {
            exchange,
            routing_key,
            mandatory: !planted("not-mandatory"),
            id,
            properties,
            body: body.into(),
            purchases: 0,
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Writing plain values into memory has no way to fail.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Unique across processes by a random part, within one by a counter.
fn next_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(rand::random);
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    format!("{:016x}-{}", *PROCESS, COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// The beginning of `text`, at most `max` bytes.
pub(super) fn excerpt(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::purchase;

    fn header<'a>(message: &'a Message, name: &str) -> Option<&'a AMQPValue> {
        message.properties.headers().as_ref().and_then(|headers| headers.inner().get(name))
    }

    #[test]
    fn a_batch_says_how_many_it_carries_and_whose_trace_it_continues() {
        let mut purchases = vec![purchase(1, "u-1", 1), purchase(2, "u-2", 1)];
        purchases[1].traceparent = Some("00-abc-def-01".into());
        let message = Message::purchases(&purchases);
        assert_eq!(header(&message, "count"), Some(&AMQPValue::LongLongInt(2)));
        let traceparent = AMQPValue::LongString("00-abc-def-01".into());
        assert_eq!(header(&message, "traceparent"), Some(&traceparent));
        assert_eq!(*message.properties.delivery_mode(), Some(PERSISTENT));
        assert!(message.mandatory);
    }

    #[test]
    fn message_ids_differ() {
        let one = [purchase(1, "u-1", 1)];
        assert_ne!(Message::purchases(&one).id, Message::purchases(&one).id);
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let letter = DeadLetter { order_id: None, body: vec![], error: "é".repeat(2_000) };
        let message = Message::dead_letter(&letter);
        let expected = AMQPValue::LongString("é".repeat(ERROR_BYTES_MAX / 2).into());
        assert_eq!(header(&message, ERROR), Some(&expected));
    }
}
