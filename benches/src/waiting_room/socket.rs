//! One client of the crowd: connected by SSE or by WebSocket, reading what it is told.

use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;

use crate::client::Target;
use crate::waiting_room::join::Ticket;
use crate::waiting_room::plan::Way;
use crate::waiting_room::tally::Tally;

/// Memory of one client for what it reads.
const READ_BYTES: usize = 1_024;
/// An event is far smaller.
const EVENT_BYTES_MAX: usize = 16 * 1_024;

/// One of the crowd.
pub(crate) struct Client {
    pub(crate) n: usize,
    pub(crate) way: Way,
    pub(crate) target: Target,
    pub(crate) ticket: Ticket,
    pub(crate) product: i64,
    pub(crate) tally: Arc<Tally>,
    /// Who was let in, with their pass.
    pub(crate) let_in: mpsc::Sender<(Arc<str>, String)>,
    pub(crate) over: CancellationToken,
}

impl Client {
    /// Stays connected until it is over; says why if it could not.
    pub(crate) async fn stay(self) -> Result<(), String> {
        let over = self.over.clone();
        let stayed = over.run_until_cancelled(async {
            match self.way {
                Way::Place => {
                    let path = format!("/api/v1/queue/events?ticket={}", self.ticket.text);
                    self.stream(&path).await
                }
                Way::Stock => {
                    let path = format!("/api/v1/products/{}/stock/events", self.product);
                    self.stream(&path).await
                }
                Way::Socket => self.socket().await,
            }
        });
        match stayed.await {
            None | Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                self.tally.lost();
                Err(format!("client {} ({:?}): {error}", self.n, self.way))
            }
        }
    }

    async fn stream(&self, path: &str) -> Result<(), String> {
        let mut stream = TcpStream::connect(self.target.addr).await.map_err(text)?;
        let Target { base_path, authority, .. } = &self.target;
        let head = format!(
            "GET {base_path}{path} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/event-stream\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.map_err(text)?;
        let mut inbox: Vec<u8> = Vec::with_capacity(READ_BYTES);
        let mut is_open = false;
        loop {
            inbox.reserve(READ_BYTES);
            if stream.read_buf(&mut inbox).await.map_err(text)? == 0 {
                let knows = self.tally.knows_the_end(self.n);
                return if knows { Ok(()) } else { Err("the stream ended".into()) };
            }
            if !is_open {
                if inbox.len() >= 12 && !inbox.starts_with(b"HTTP/1.1 200") {
                    let said = String::from_utf8_lossy(&inbox);
                    return Err(said.lines().next().unwrap_or_default().to_owned());
                }
                is_open = inbox.len() >= 12;
            }
            // One event is one chunk: what stands between them are sizes and heartbeats.
            let mut read = 0;
            while let Some(end) = find(&inbox[read..], b"\n\n") {
                let event = &inbox[read..read + end];
                if let Some(at) = find(event, b"\ndata: ") {
                    self.take(&event[at + b"\ndata: ".len()..])?;
                }
                read += end + 2;
            }
            inbox.drain(..read);
            if inbox.len() > EVENT_BYTES_MAX {
                return Err("an event without an end".into());
            }
        }
    }

    async fn socket(&self) -> Result<(), String> {
        let Target { base_path, authority, addr } = &self.target;
        let stream = TcpStream::connect(addr).await.map_err(text)?;
        let url = format!("ws://{authority}{base_path}/ws");
        let request = url.into_client_request().map_err(text)?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BYTES).write_buffer_size(0);
        let (mut socket, _) =
            tokio_tungstenite::client_async_with_config(request, stream, Some(config))
                .await
                .map_err(text)?;
        for (event, data) in [
            ("queue:join", json!({ "ticket": &*self.ticket.text })),
            ("inventory:watch", json!({ "productId": self.product })),
        ] {
            let message = json!({ "v": 1, "event": event, "data": data }).to_string();
            socket.send(Message::text(message)).await.map_err(text)?;
        }
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(message))) => {
                    let body = message.as_str();
                    let data = find(body.as_bytes(), b"\"data\":").map(|at| at + 7);
                    let data = data.and_then(|at| body.get(at..body.len() - 1));
                    self.take(data.unwrap_or_default().as_bytes())?;
                }
                // A ping is answered by the next send or read of the library.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(text(error)),
                None => return Err("the connection ended".into()),
            }
        }
    }

    /// Takes note of what was told.
    fn take(&self, data: &[u8]) -> Result<(), String> {
        let told: serde_json::Value = serde_json::from_slice(data).map_err(text)?;
        if let Some(code) = told["code"].as_str() {
            return Err(format!("{code}: {}", told["message"]));
        }
        if let Some(pass) = self.tally.take(self.n, &told) {
            // More passes than buyers need are forgotten.
            let _ = self.let_in.try_send((Arc::clone(&self.ticket.user), pass));
        }
        Ok(())
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
