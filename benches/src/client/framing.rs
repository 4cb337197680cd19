//! Where an answer's head ends and how long its body is (RFC 9112 section 6).

use std::io;

use httparse::{EMPTY_HEADER, Response, Status, parse_chunk_size};

/// More headers than any API or proxy sends.
const HEADERS_MAX: usize = 64;

/// What the head of an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The head's length in bytes, the empty line included.
    pub(crate) length: usize,
    pub(crate) status: u16,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Head {
    /// An interim answer (1xx) precedes the real one.
    pub(crate) fn is_interim(&self) -> bool {
        self.status < 200
    }
}

/// Parses a head; `None` while it is incomplete.
pub(crate) fn parse_head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = Response::new(&mut headers);
    let Status::Complete(length) = response.parse(bytes).map_err(invalid)? else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    let mut head = Head {
        length,
        status,
        retry_after_s: None,
        framing: if bodyless(status) { Framing::Length(0) } else { Framing::UntilClose },
        keep_alive: response.version == Some(1),
    };
    for header in response.headers.iter() {
        head.read(header)?;
    }
    Ok(Some(head))
}

impl Head {
    fn read(&mut self, header: &httparse::Header<'_>) -> io::Result<()> {
        let is = |name| header.name.eq_ignore_ascii_case(name);
        let value = header.value.trim_ascii();
        if is("content-length") {
            if self.framing == Framing::UntilClose {
                let length =
                    number(value).ok_or_else(|| invalid("not HTTP/1.1: bad Content-Length"))?;
                self.framing = Framing::Length(length as usize);
            }
        } else if is("transfer-encoding") {
            if !bodyless(self.status) {
                self.framing = Framing::Chunked;
            }
        } else if is("connection") {
            self.keep_alive &= !value.eq_ignore_ascii_case(b"close");
        } else if is("retry-after") {
            self.retry_after_s = number(value);
        }
        Ok(())
    }
}

/// Decodes a whole chunked body and gives the bytes it took; `None` while it is incomplete.
pub(crate) fn decode_chunks(mut bytes: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let whole = bytes.len();
    let mut body = Vec::new();
    loop {
        let size = parse_chunk_size(bytes).map_err(|_| invalid("not HTTP/1.1: bad chunk size"))?;
        let Status::Complete((line, size)) = size else { return Ok(None) };
        bytes = &bytes[line..];
        if size == 0 {
            return Ok(after_trailers(bytes)?.map(|rest| (body, whole - rest)));
        }
        let size = usize::try_from(size).map_err(invalid)?;
        let Some(end) = size.checked_add(2).filter(|end| *end <= bytes.len()) else {
            return Ok(None);
        };
        body.extend_from_slice(&bytes[..size]);
        bytes = &bytes[end..];
    }
}

/// The number of bytes after the trailers' empty line.
fn after_trailers(bytes: &[u8]) -> io::Result<Option<usize>> {
    let mut trailers = [EMPTY_HEADER; HEADERS_MAX];
    match httparse::parse_headers(bytes, &mut trailers).map_err(invalid)? {
        Status::Complete((length, _)) => Ok(Some(bytes.len() - length)),
        Status::Partial => Ok(None),
    }
}

fn bodyless(status: u16) -> bool {
    status < 200 || status == 204 || status == 304
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        parse_head(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_head_is_complete_with_its_empty_line() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(parse_head(&text[..end]).unwrap(), None);
        }
        let head = parse_head(text).unwrap().unwrap();
        assert_eq!((head.status, head.length), (200, text.len()));
        assert_eq!(head.framing, Framing::Length(2));
        assert!(head.keep_alive);
    }

    #[test]
    fn the_end_of_a_body_is_found_three_ways() {
        assert_eq!(head("HTTP/1.1 200 OK\r\n\r\n").framing, Framing::UntilClose);
        assert_eq!(head("HTTP/1.1 204 No Content\r\n\r\n").framing, Framing::Length(0));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n";
        assert_eq!(head(chunked).framing, Framing::Chunked);
    }

    #[test]
    fn a_server_may_close_and_may_ask_to_wait() {
        let text = "HTTP/1.1 503 Busy\r\nConnection: close\r\nRetry-After: 3\r\n\r\n";
        assert_eq!((head(text).keep_alive, head(text).retry_after_s), (false, Some(3)));
        assert!(!head("HTTP/1.0 200 OK\r\n\r\n").keep_alive);
    }

    #[test]
    fn chunks_are_joined_once_the_last_has_arrived() {
        let text = b"4\r\nbuye\r\n2;x=1\r\nrs\r\n0\r\nTrailer: 1\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(decode_chunks(&text[..end]).unwrap(), None);
        }
        assert_eq!(decode_chunks(text).unwrap(), Some((b"buyers".to_vec(), text.len())));
    }

    #[test]
    fn something_else_than_http_is_an_error() {
        assert!(parse_head(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n").is_err());
        assert!(decode_chunks(b"zz\r\n").is_err());
    }
}
