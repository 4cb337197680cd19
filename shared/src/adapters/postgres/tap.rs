//! SQLSTATEs, which diesel does not pass on.
//!
//! Whether an error is an outage or a purchase's own fault is told by its SQLSTATE (see
//! [`super::errors`]), and diesel 2.3 reduces most of them to `Unknown` with a text in the
//! server's language. So we listen in: a stream between the socket (or TLS) and tokio-postgres
//! that lets every byte pass and notes the code of each `ErrorResponse`. It looks at five bytes
//! per message and skips the rest. Should diesel one day tell the code, this file can go.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The five characters that name an error in every version and language of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SqlState(pub(super) [u8; 5]);

impl SqlState {
    /// Every statement after the one that failed gets this answer; it hides the cause.
    const IN_FAILED_TRANSACTION: Self = Self(*b"25P02");

    /// The code, or `?????` should it not be ASCII.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("?????")
    }

    /// The first two characters: the class of the error.
    pub(super) fn class(&self) -> &str {
        self.as_str().get(..2).unwrap_or("??")
    }
}

/// The code of the last error of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct LastError(Arc<AtomicU64>);

impl LastError {
    /// Takes the code, so that it is never mistaken for that of a later error.
    pub(super) fn take(&self) -> Option<SqlState> {
        let [0, 0, 0, code @ ..] = self.0.swap(0, Ordering::Relaxed).to_be_bytes() else {
            return None;
        };
        (code != [0; 5]).then_some(SqlState(code))
    }

    fn note(&self, code: SqlState) {
        if code != SqlState::IN_FAILED_TRANSACTION {
            let mut bytes = [0; 8];
            bytes[3..].copy_from_slice(&code.0);
            self.0.store(u64::from_be_bytes(bytes), Ordering::Relaxed);
        }
    }
}

/// Follows the server's messages: a type byte, a length (which counts itself) and a body. The body
/// of an error is a list of fields: a type byte and a text that ends with NUL.
/// (PostgreSQL documentation, "Message Formats".)
#[derive(Debug, Default)]
struct Scanner {
    head: [u8; 5],
    head_len: usize,
    /// Bytes of the present body still to come.
    left: usize,
    /// The body of an error so far; nothing while another message passes.
    error: Option<Vec<u8>>,
}

/// The code comes among the first fields; more of an error is not kept.
const ERROR_BYTES_MAX: usize = 256;

impl Scanner {
    fn scan(&mut self, mut bytes: &[u8], last: &LastError) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (body, rest) = bytes.split_at(self.left.min(bytes.len()));
                self.left -= body.len();
                if let Some(error) = &mut self.error {
                    let room = ERROR_BYTES_MAX.saturating_sub(error.len());
                    error.extend_from_slice(&body[..body.len().min(room)]);
                }
                bytes = rest;
            } else {
                let (head, rest) = bytes.split_at((5 - self.head_len).min(bytes.len()));
                self.head[self.head_len..][..head.len()].copy_from_slice(head);
                self.head_len += head.len();
                bytes = rest;
                if self.head_len == 5 {
                    let [kind, length @ ..] = self.head;
                    self.head_len = 0;
                    self.left = (u32::from_be_bytes(length) as usize).saturating_sub(4);
                    self.error = (kind == b'E').then(Vec::new);
                }
            }
            if self.left == 0 && self.head_len == 0 {
                self.error.take().and_then(|body| code_in(&body)).inspect(|code| last.note(*code));
            }
        }
    }
}

/// The field `C` of an error's body.
fn code_in(body: &[u8]) -> Option<SqlState> {
    let field = body.split(|&byte| byte == 0).find_map(|field| field.strip_prefix(b"C"))?;
    field.try_into().ok().map(SqlState)
}

/// A stream that listens in.
#[derive(Debug)]
pub(super) struct Tap<S> {
    inner: S,
    scanner: Scanner,
    last: LastError,
}

impl<S> Tap<S> {
    pub(super) fn new(inner: S, last: LastError) -> Self {
        Self { inner, scanner: Scanner::default(), last }
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        this.scanner.scan(&buf.filled()[before..], &this.last);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    #[test]
    fn the_code_of_an_error_is_noted_however_the_bytes_are_cut() {
        let stream = [
            message(b'Z', b"I"),
            message(b'D', b"SERROR\0C99999\0\0"),
            message(b'E', b"SFEHLER\0VERROR\0C22008\0Mau\xc3\x9ferhalb\0\0"),
            message(b'E', b"SERROR\0C25P02\0\0"),
            message(b'n', b""),
            message(b'Z', b"E"),
        ]
        .concat();
        for piece in 1..stream.len() {
            let (mut scanner, last) = (Scanner::default(), LastError::default());
            stream.chunks(piece).for_each(|bytes| scanner.scan(bytes, &last));
            assert_eq!(last.take(), Some(SqlState(*b"22008")), "cut every {piece} bytes");
            assert_eq!(last.take(), None);
        }
    }
}
