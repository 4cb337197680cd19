//! The HTTP/1.1 client: one request at a time over one kept connection, nothing allocated per request.
//!
//! Written by hand over `httparse` because the generator shares two cores with the system it
//! measures; what that saves is said in the module's documentation.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::framing::{self, Framing, Head};
use crate::client::target::Target;

/// The longest answer taken, in bytes; a page of 500 purchases is about 250 KB.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Memory kept by an idle connection, in bytes.
const INBOX_BYTES: usize = 4096;
/// The first pause while no URL answers; doubled each round up to the longest.
const BACKOFF_FIRST_MS: u64 = 20;
const BACKOFF_MAX_MS: u64 = 500;

/// One request; `Host`, `Content-Type` and `Content-Length` are added.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'a str,
    /// The path below the target's base, beginning with a slash; empty for the base itself.
    pub path: &'a str,
    /// Further headers: name and value.
    pub headers: &'a [(&'a str, &'a str)],
    /// JSON, or empty.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// Writes the request as it goes over the wire; one buffer, so that it leaves in one packet.
    fn write(&self, target: &Target, out: &mut Vec<u8>) {
        out.clear();
        let root = if target.base_path.is_empty() && self.path.is_empty() { "/" } else { "" };
        for part in [self.method, " ", &target.base_path, self.path, root, " HTTP/1.1\r\nHost: "] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(target.authority.as_bytes());
        for (name, value) in self.headers {
            for part in ["\r\n", name, ": ", value] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        if !self.body.is_empty() {
            out.extend_from_slice(b"\r\nContent-Type: application/json\r\nContent-Length: ");
            // Writing to a vector cannot fail.
            let _ = write!(out, "{}", self.body.len());
        }
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(self.body);
    }
}

/// An answer; the body lies in the connection's buffer until the next request.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// `Retry-After` in seconds, where the server sent one as a number.
    pub retry_after_s: Option<u64>,
    /// The body, decoded.
    pub body: &'a [u8],
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {target}")]
pub struct Broken {
    /// Who did not answer.
    pub target: String,
    /// True if the request may have reached the server before the connection broke.
    pub sent: bool,
    /// What happened to the connection.
    pub source: io::Error,
}

/// One kept connection that moves on to the next URL when the one it has breaks.
#[derive(Debug)]
pub struct Line {
    targets: Arc<[Target]>,
    at: usize,
    connection: Option<Connection>,
    outbox: Vec<u8>,
    failures_in_a_row: u32,
}

impl Line {
    /// A line to `targets[first]` (modulo their number); connects with the first request.
    pub fn new(targets: Arc<[Target]>, first: usize) -> Self {
        let at = first % targets.len().max(1);
        Self { targets, at, connection: None, outbox: Vec::new(), failures_in_a_row: 0 }
    }

    /// Sends `request` and waits up to `patience` for the whole answer. After an error the line
    /// stands at the next URL; the caller decides whether to send again.
    pub async fn call(
        &mut self,
        request: &Request<'_>,
        patience: Duration,
    ) -> Result<Answer<'_>, Broken> {
        let mut sent = false;
        let head = match timeout(patience, self.exchange(request, &mut sent)).await {
            Ok(Ok(head)) => head,
            Ok(Err(source)) => return Err(self.broke(sent, source)),
            Err(_) => return Err(self.broke(sent, io::ErrorKind::TimedOut.into())),
        };
        self.failures_in_a_row = 0;
        let body = self.connection.as_ref().map_or(&[][..], Connection::body);
        Ok(Answer { status: head.status, retry_after_s: head.retry_after_s, body })
    }

    /// After an error: pauses when every URL has failed in turn, longer each round.
    pub async fn back_off(&self) {
        let rounds = self.failures_in_a_row / self.targets.len().max(1) as u32;
        let all_failed = self.failures_in_a_row.is_multiple_of(self.targets.len().max(1) as u32);
        if all_failed && rounds > 0 {
            let longest = (BACKOFF_FIRST_MS << rounds.min(8)).min(BACKOFF_MAX_MS);
            let pause_ms = rand::random_range(longest / 2..=longest);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    async fn exchange(&mut self, request: &Request<'_>, sent: &mut bool) -> io::Result<Head> {
        let target = &self.targets[self.at];
        if self.connection.as_ref().is_some_and(|connection| !connection.reusable) {
            self.connection = None;
        }
        let connection = match &mut self.connection {
            Some(open) => open,
            none => none.insert(Connection::open(target.addr).await?),
        };
        request.write(target, &mut self.outbox);
        *sent = true;
        connection.exchange(&self.outbox).await
    }

    fn broke(&mut self, sent: bool, source: io::Error) -> Broken {
        let target = self.targets[self.at].to_string();
        self.connection = None;
        self.at = (self.at + 1) % self.targets.len();
        self.failures_in_a_row += 1;
        Broken { target, sent, source }
    }
}

/// An open connection and the last answer it brought.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    inbox: Vec<u8>,
    body: Range<usize>,
    reusable: bool,
}

impl Connection {
    async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, inbox: Vec::with_capacity(INBOX_BYTES), body: 0..0, reusable: true })
    }

    fn body(&self) -> &[u8] {
        self.inbox.get(self.body.clone()).unwrap_or_default()
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Head> {
        self.inbox.clear();
        self.stream.write_all(request).await?;
        let head = self.read_head().await?;
        let complete = match head.framing {
            Framing::Length(length) => {
                self.body = head.length..head.length + length;
                while self.inbox.len() < self.body.end {
                    self.fill().await?;
                }
                self.inbox.len() == self.body.end
            }
            Framing::Chunked => {
                self.inbox.drain(..head.length);
                let (decoded, length) = loop {
                    match framing::decode_chunks(&self.inbox)? {
                        Some(decoded) => break decoded,
                        None => self.fill().await?,
                    }
                };
                let complete = self.inbox.len() == length;
                self.body = 0..decoded.len();
                self.inbox = decoded;
                complete
            }
            Framing::UntilClose => {
                while self.read().await? > 0 {}
                self.body = head.length..self.inbox.len();
                false
            }
        };
        self.reusable = complete && head.keep_alive;
        Ok(head)
    }

    async fn read_head(&mut self) -> io::Result<Head> {
        loop {
            match framing::parse_head(&self.inbox)? {
                Some(head) if head.is_interim() => drop(self.inbox.drain(..head.length)),
                Some(head) => return Ok(head),
                None => self.fill().await?,
            }
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.read().await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    async fn read(&mut self) -> io::Result<usize> {
        if self.inbox.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
        }
        if self.inbox.capacity() - self.inbox.len() < INBOX_BYTES / 2 {
            self.inbox.reserve(INBOX_BYTES.max(self.inbox.len()));
        }
        self.stream.read_buf(&mut self.inbox).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_moves_on_when_nobody_listens() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let urls = [closed, server.local_addr().unwrap()].map(|addr| format!("http://{addr}/base"));
        let targets =
            [Target::resolve(&urls[0]).await.unwrap(), Target::resolve(&urls[1]).await.unwrap()];
        let mut line = Line::new(targets.into(), 0);
        let request = Request { method: "GET", path: "", headers: &[], body: b"" };
        let patience = Duration::from_secs(10);

        let broken = line.call(&request, patience).await.unwrap_err();
        assert_eq!((broken.target.as_str(), broken.sent), (urls[0].as_str(), false));

        let answer = async {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            assert_eq!(&head, b"GET /base");
            let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
            let chunked =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
            stream.write_all([interim, chunked].concat().as_bytes()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(line.call(&request, patience), answer);
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body), (200, &b"ok"[..]));

        // The server has gone with its connection: the request had left before that showed.
        drop(server);
        assert!(line.call(&request, patience).await.unwrap_err().sent);
    }
}
