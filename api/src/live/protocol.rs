//! The messages of the WebSocket, version 1: JSON texts.
//!
//! ```json
//! {"v":1,"event":"inventory:watch","data":{"productId":1},"id":"a"}
//! {"v":1,"event":"inventory:update","id":"a","data":{"productId":1,"availableCount":99}}
//! ```
//!
//! `id` is the client's own; the answer to its message repeats it.

use std::borrow::Cow;

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use serde_json::Value;
use shared::domain::{ProductRef, TrackingId, UserId};

use crate::parse::{Fields, LineOf, line_of, product_named};
use crate::problem::{Faults, Problem};

/// The version that is spoken here.
const VERSION: i64 = 1;
/// Longest reference of a client, in bytes.
const REFERENCE_BYTES: usize = 64;
/// Longest ticket, in bytes.
const TICKET_BYTES: usize = 512;

/// What a client calls its message, to be repeated in the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Reference(String);

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    WatchInventory(ProductRef),
    UnwatchInventory(ProductRef),
    WatchPurchase(TrackingId),
    UnwatchPurchase(TrackingId),
    Join(QueueAsk),
    Leave(QueueAsk),
}

/// Which place in line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum QueueAsk {
    /// The one of this ticket.
    Ticket(String),
    /// A user's in this line.
    User(LineOf, Option<UserId>),
}

/// Why a message was not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<Faults> for Refusal {
    fn from(faults: Faults) -> Self {
        Problem::from(faults).into()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::new(problem.kind().code, problem.detail().to_owned())
    }
}

/// Reads a message: its reference, as far as it can be read, and what it asks for.
pub(super) fn read(text: &str) -> (Option<Reference>, Result<Request, Refusal>) {
    let mut fields = match Fields::read(text) {
        Ok(fields) => fields,
        Err(faults) => return (None, Err(faults.into())),
    };
    let reference = fields.text("id", REFERENCE_BYTES).map(Reference);
    (reference, request(fields))
}

fn request(mut fields: Fields) -> Result<Request, Refusal> {
    if fields.value("v") != Some(VERSION.into()) {
        return Err(Refusal::new("UNSUPPORTED_VERSION", "v: must be 1"));
    }
    let event = fields.text("event", REFERENCE_BYTES);
    if event.is_none() {
        fields.faults().note_missing("event");
    }
    let data = fields.value("data").map(|data| Fields::read(&data.to_string()));
    let event = fields.finish(event)?;
    let data = || data.unwrap_or_else(|| Err(Faults::one("data", "is missing")));
    match event.as_str() {
        "inventory:watch" => Ok(Request::WatchInventory(product_named(data()?)?)),
        "inventory:unwatch" => Ok(Request::UnwatchInventory(product_named(data()?)?)),
        "purchase:watch" => Ok(Request::WatchPurchase(tracking_id(data()?)?)),
        "purchase:unwatch" => Ok(Request::UnwatchPurchase(tracking_id(data()?)?)),
        "queue:join" => Ok(Request::Join(place(data()?)?)),
        "queue:leave" => Ok(Request::Leave(place(data()?)?)),
        _ => Err(Refusal::new("UNKNOWN_EVENT", "This event is not known here.")),
    }
}

fn place(mut data: Fields) -> Result<QueueAsk, Faults> {
    if data.value("ticket").is_some() {
        let ticket = data.text("ticket", TICKET_BYTES).map(QueueAsk::Ticket);
        return data.finish(ticket);
    }
    line_of(data).map(|(line, user)| QueueAsk::User(line, user))
}

fn tracking_id(mut data: Fields) -> Result<TrackingId, Faults> {
    let id = match data.value("trackingId") {
        None => {
            data.faults().note_missing("trackingId");
            None
        }
        Some(Value::String(text)) => match text.parse() {
            Ok(id) => Some(id),
            Err(error) => data.wrong("trackingId", format!("{error}")),
        },
        Some(_) => data.wrong("trackingId", "must be a string"),
    };
    data.finish(id)
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    v: i64,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Reference>,
    data: &'a T,
}

/// A message to a client; with a reference it is the answer to the client's own.
pub(super) fn event(
    event: &'static str,
    data: &impl Serialize,
    id: Option<&Reference>,
) -> Utf8Bytes {
    // Our own types have texts for keys and no way to fail.
    serde_json::to_string(&Outgoing { v: VERSION, event, id, data }).unwrap_or_default().into()
}

/// The answer to a message that was not done.
pub(super) fn error(refusal: &Refusal, id: Option<&Reference>) -> Utf8Bytes {
    let Refusal { code, message } = refusal;
    event("error", &serde_json::json!({ "code": code, "message": message }), id)
}

#[cfg(test)]
mod tests {
    use shared::domain::testing::id;
    use shared::domain::{ProductId, Sku};

    use super::*;

    fn code(text: &str) -> &'static str {
        read(text).1.unwrap_err().code
    }

    #[test]
    fn messages_are_read() {
        let product =
            |text: &str| read(&format!(r#"{{"v":1,"event":"inventory:watch",{text}}}"#)).1;
        let one = Request::WatchInventory(ProductRef::Id(ProductId(1)));
        assert_eq!(product(r#""data":{"productId":1},"more":true"#), Ok(one));
        let sku = || Request::WatchInventory(ProductRef::Sku(Sku::parse("A-1").unwrap()));
        assert_eq!(product(r#""data":{"sku":"A-1"}"#), Ok(sku()));
        assert_eq!(product(r#""data":{"skuId":"A-1"}"#), Ok(sku()));
        let text = format!(
            r#"{{"v":1,"event":"purchase:unwatch","data":{{"trackingId":"{}"}},"id":"a"}}"#,
            id(7)
        );
        let (reference, request) = read(&text);
        assert_eq!(reference, Some(Reference("a".into())));
        assert_eq!(request, Ok(Request::UnwatchPurchase(id(7))));
    }

    #[test]
    fn what_is_wrong_has_a_stable_code() {
        for text in ["", "[]", "7", "{", r#"{"v":1}"#, r#"{"v":1,"event":7}"#] {
            assert_eq!(code(text), "INVALID_REQUEST", "{text}");
        }
        let about = |event: &str, data: &str| {
            code(&format!(r#"{{"v":1,"event":"{event}","data":{data}}}"#))
        };
        for data in ["null", "7", "{}", r#"{"productId":0}"#, r#"{"productId":1,"sku":"A"}"#] {
            assert_eq!(about("inventory:watch", data), "INVALID_REQUEST", "{data}");
        }
        for data in ["{}", r#"{"trackingId":7}"#, r#"{"trackingId":"x"}"#] {
            assert_eq!(about("purchase:watch", data), "INVALID_REQUEST", "{data}");
        }
        assert_eq!(about("queue:join", "{}"), "INVALID_REQUEST");
        assert_eq!(about("queue:dance", "{}"), "UNKNOWN_EVENT");
        assert_eq!(code(r#"{"v":2,"event":"inventory:watch"}"#), "UNSUPPORTED_VERSION");
        assert_eq!(code(r#"{"event":"inventory:watch"}"#), "UNSUPPORTED_VERSION");
    }

    #[test]
    fn an_answer_repeats_the_reference() {
        let answer = error(&Refusal::new("A", "b"), Some(&Reference("x\"".into())));
        let expected = r#"{"v":1,"event":"error","id":"x\"","data":{"code":"A","message":"b"}}"#;
        assert_eq!(answer.as_str(), expected);
        assert_eq!(event("e", &7, None).as_str(), r#"{"v":1,"event":"e","data":7}"#);
    }
}
