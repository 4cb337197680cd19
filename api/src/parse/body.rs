//! The request body: JSON, complete, not too large, not too deep and in time.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;

use super::depth::{LEVELS_MAX, is_too_deep};
use crate::problem::{Faults, Problem, kind};
use crate::state::Shared;
use crate::within::within;

/// A body that is too large is still read up to this size: a client that is cut off while it sends
/// may never see the answer (RFC 9112, section 9.6).
const DRAIN_MAX: usize = 1 << 20;

/// The bytes of a JSON body, at most `http.body_bytes_max` of them, valid UTF-8, nested at most 64 levels
/// deep, and not yet parsed.
#[derive(Debug)]
pub struct JsonBody(pub String);

impl FromRequest<Shared> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        read(&parts.headers, body, app, 1).await.map(Self)
    }
}

/// Reads a body of up to `times` the usual size.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    app: &Shared,
    times: usize,
) -> Result<String, Problem> {
    if !is_json(headers) {
        let detail = "Send the body as Content-Type: application/json.";
        return Err(Problem::new(kind::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    flat(text(headers, body, app, times).await?)
}

/// Reads a body that may be left out: nothing at all needs no content type.
pub(super) async fn read_optional(
    headers: &HeaderMap,
    body: Body,
    app: &Shared,
) -> Result<Option<String>, Problem> {
    if is_json(headers) {
        let text = flat(text(headers, body, app, 1).await?)?;
        return Ok(Some(text).filter(|text| !text.is_empty()));
    }
    if text(headers, body, app, 1).await?.is_empty() {
        return Ok(None);
    }
    let detail = "Send the body as Content-Type: application/json, or none.";
    Err(Problem::new(kind::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// `application/json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    let essence = value.as_bytes().split(|&b| b == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// `json`, unless it is nested too deep.
fn flat(json: String) -> Result<String, Problem> {
    if is_too_deep(&json) {
        let fault = format!("must not be nested deeper than {LEVELS_MAX} levels");
        return Err(Faults::one("body", fault).into());
    }
    Ok(json)
}

async fn text(
    headers: &HeaderMap,
    body: Body,
    app: &Shared,
    times: usize,
) -> Result<String, Problem> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "Send the body without Content-Encoding.";
        return Err(Problem::new(kind::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let (max, patience) = (app.http.body_bytes_max * times, app.http.body_timeout);
    // A client that waits for "100 Continue" sends nothing that it would have to be read out of.
    let drain = !headers.contains_key(header::EXPECT);
    let bytes = within(patience, bytes(body, max, drain))
        .await
        .map_err(|_| Problem::plain(kind::REQUEST_TIMEOUT))??;
    String::from_utf8(bytes.into()).map_err(|_| Faults::one("body", "must be UTF-8").into())
}

async fn bytes(mut body: Body, max: usize, drain: bool) -> Result<Bytes, Problem> {
    // Nearly every body comes in one piece, which is then not copied.
    let mut first = Bytes::new();
    let mut more = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Faults::one("body", "ended early"))?;
        let Ok(part) = frame.into_data() else { continue };
        if first.len() + more.len() + part.len() > max {
            if drain {
                discard(body).await;
            }
            let detail = format!("The body may have at most {max} bytes.");
            return Err(Problem::new(kind::PAYLOAD_TOO_LARGE, detail));
        }
        if first.is_empty() {
            first = part;
        } else {
            more.extend_from_slice(&part);
        }
    }
    Ok(if more.is_empty() { first } else { [&*first, &*more].concat().into() })
}

async fn discard(mut body: Body) {
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len);
        if seen > DRAIN_MAX {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_by_its_media_type() {
        let is = |value: &'static str| {
            is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]))
        };
        assert!(is("application/json") && is("Application/JSON; charset=utf-8"));
        assert!(!is("text/plain") && !is("application/jsonp") && !is(""));
        assert!(!is_json(&HeaderMap::new()));
    }
}
