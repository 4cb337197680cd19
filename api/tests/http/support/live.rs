//! Clients that are told what changes.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::TestApp;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of a stream of events.
pub(crate) struct Events {
    body: Incoming,
    text: String,
}

/// An event as it came.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Events {
    /// What stands between two empty lines; `None` at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("nothing is told")?;
            let bytes = frame.ok()?.into_data().unwrap();
            self.text.push_str(str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let mut lines = block.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(field, _)| *field == name).map(|(_, value)| value.to_owned())
            };
            if let Some(name) = field("event") {
                let data = serde_json::from_str(&field("data").unwrap()).unwrap();
                return Some(Event { name, id: field("id").unwrap(), data });
            }
        }
    }

    /// The ID and one member of the next event.
    pub(crate) async fn tells(&mut self, member: &str) -> (String, Value) {
        let event = self.next().await.expect("the stream has ended");
        (event.id, event.data[member].clone())
    }
}

/// A client of the WebSocket.
pub(crate) struct Socket(pub(crate) WebSocketStream<TcpStream>);

impl Socket {
    /// Sends a text.
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.unwrap();
    }

    /// Sends a message of version 1.
    pub(crate) async fn ask(&mut self, event: &str, data: Value, id: &str) {
        self.send(json!({"v": 1, "event": event, "data": data, "id": id}).to_string()).await;
    }

    /// The next text, as JSON.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match self.any().await.expect("the connection has ended") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message of this event; others are passed over.
    pub(crate) async fn hear_of(&mut self, event: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["event"] == event {
                return message;
            }
        }
    }

    /// Whatever comes next; `None` at the end.
    pub(crate) async fn any(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.0.next()).await.expect("nothing is said")?.ok()
    }

    /// With which code the connection is closed, whatever is said before.
    pub(crate) async fn closed_with(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.any().await.expect("it ended without a word") {
                return frame.unwrap().code.into();
            }
        }
    }
}

impl TestApp {
    /// Opens a stream of events.
    pub(crate) async fn events(&self, path: &str, headers: &[(&str, &str)]) -> Events {
        let stream = TcpStream::connect(self.addr).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::get(path).header("host", "test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.headers["content-type"], "text/event-stream");
        assert_eq!(head.headers["cache-control"], "no-store");
        let mut events = Events { body, text: String::new() };
        let first = events.block().await.unwrap();
        assert!(first.starts_with("retry: "), "{first}");
        events
    }

    /// Opens a WebSocket.
    pub(crate) async fn socket(&self, headers: &[(&'static str, &str)]) -> Socket {
        let mut request = format!("ws://{}/ws", self.addr).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.addr).await.unwrap();
        let (socket, answer) = client_async(request, stream).await.unwrap();
        assert!(answer.headers().contains_key("x-request-id"));
        Socket(socket)
    }
}
