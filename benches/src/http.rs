//! The HTTP/1.1 client: one request at a time over one kept connection, nothing allocated per request.
//!
//! Written by hand over `httparse` because the generator shares two cores with the system it
//! measures; what that saves is said in the crate's documentation.

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::framing::{self, Framing, Head};

/// The longest answer taken, in bytes; a page of 500 purchases is about 250 KB.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Memory kept by an idle connection, in bytes.
const INBOX_BYTES: usize = 4096;
/// The first pause while no URL answers; doubled each round up to the longest.
const BACKOFF_FIRST_MS: u64 = 20;
const BACKOFF_MAX_MS: u64 = 500;

/// Where one instance of the API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    authority: String,
    base_path: String,
    addr: SocketAddr,
}

/// The URL cannot be used; the text says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--url {url}: {why}")]
pub struct InvalidUrl {
    url: String,
    why: String,
}

impl Target {
    /// Parses and resolves `http://host[:port][/base]`.
    pub async fn resolve(url: &str) -> Result<Self, InvalidUrl> {
        let invalid = |why: String| InvalidUrl { url: url.to_owned(), why };
        let rest = url.strip_prefix("http://").ok_or_else(|| {
            invalid("must begin with http:// (for https, ask the API behind the proxy)".into())
        })?;
        let (authority, base) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || rest.contains(|c: char| c.is_control() || c == ' ') {
            return Err(invalid("must look like http://127.0.0.1:8080".into()));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let host_and_port =
            if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let addr = tokio::net::lookup_host(&host_and_port)
            .await
            .map_err(|error| invalid(error.to_string()))?
            .next()
            .ok_or_else(|| invalid("the name has no address".into()))?;
        let base_path =
            if base.is_empty() { String::new() } else { format!("/{}", base.trim_end_matches('/')) };
        Ok(Self { authority: authority.to_owned(), base_path, addr })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.base_path)
    }
}

/// One request; `Host`, `Content-Type` and `Content-Length` are added.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The path below the target's base.
    pub path: &'a str,
    /// At most one further header: name and value.
    pub header: Option<(&'a str, &'a str)>,
    /// JSON, or empty.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// Writes the request as it goes over the wire; one buffer, so that it leaves in one packet.
    fn write(&self, target: &Target, out: &mut Vec<u8>) {
        out.clear();
        for part in [self.method, " ", &target.base_path, self.path, " HTTP/1.1\r\nHost: "] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(target.authority.as_bytes());
        if let Some((name, value)) = self.header {
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
#[error("{target}: {source}")]
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
