//! The problem document of RFC 9457.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::kind::Kind;
use crate::edge::HEADERS_USUAL;
use crate::views::Object;

/// Room for a document without details.
const BYTES_USUAL: usize = 384;

/// A problem on its way to the client. As a response it is only a status; [`crate::edge`], which
/// knows the path, writes the document. (Boxed: results that nearly always succeed stay small.)
#[derive(Debug, Clone)]
pub struct Problem(Box<Contents>);

#[derive(Debug, Clone)]
struct Contents {
    kind: Kind,
    detail: Cow<'static, str>,
    details: Map<String, Value>,
    retry_after_s: Option<u64>,
    headers: HeaderMap,
}

/// The body of every answer that is not a success (`application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// A reference to what the code means, relative to this server.
    #[schema(example = "/docs#OUT_OF_STOCK")]
    r#type: String,
    /// What the code means, the same text every time.
    #[schema(example = "Too few units are available")]
    title: &'static str,
    /// The HTTP status code.
    #[schema(example = 409)]
    status: u16,
    /// What happened this time, for people.
    #[schema(value_type = String, example = "Only 3 units are neither held nor sold.")]
    detail: Cow<'static, str>,
    /// The path that was asked.
    #[schema(example = "/api/v1/async/purchase")]
    instance: String,
    /// A stable word for programs.
    #[schema(example = "OUT_OF_STOCK")]
    code: &'static str,
    /// More for programs: `faults` of an invalid request, the `trackingId` of a recorded refusal.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
}

impl Problem {
    /// A problem of this kind with what happened this time.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        // A 503 or 429 always says when to come back.
        let retry_after_s = matches!(kind.status.as_u16(), 429 | 503).then_some(1);
        let (details, headers) = (Map::new(), HeaderMap::new());
        Self(Box::new(Contents { kind, detail: detail.into(), details, retry_after_s, headers }))
    }

    /// A problem about which there is nothing more to say than its title.
    pub fn plain(kind: Kind) -> Self {
        Self::new(kind, kind.title)
    }

    /// Adds an entry to `details`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.into(), value.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Says after how many seconds a retry makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What happened this time, for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The whole answer, for a request of the path `instance`. Headers that are already set (such as
    /// `Allow`) stay.
    pub fn render(self, instance: &str, mut set: HeaderMap) -> Response {
        let Contents { kind, detail, details, retry_after_s, headers: more } = *self.0;
        let body = Object::of(BYTES_USUAL)
            .words("type", ["/docs#", kind.code])
            .word("title", kind.title)
            .integer("status", kind.status.as_u16().into())
            .text("detail", &detail)
            .text("instance", instance)
            .word("code", kind.code)
            .value("details", &details)
            .end();
        set.remove(header::CONTENT_LENGTH);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = kind.status;
        *response.headers_mut() = set;
        let headers = response.headers_mut();
        headers.reserve(HEADERS_USUAL);
        let problem_json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem_json);
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if !more.is_empty() {
            headers.extend(more);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.kind.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::problem::kind;

    #[tokio::test]
    async fn the_document_is_what_its_type_says() {
        let problem = Problem::new(kind::INVALID_REQUEST, "a \"b\"").with("faults", vec![1, 2]);
        let documented = ProblemDocument {
            r#type: "/docs#INVALID_REQUEST".into(),
            title: kind::INVALID_REQUEST.title,
            status: 400,
            detail: "a \"b\"".into(),
            instance: "/a?\"\\".into(),
            code: "INVALID_REQUEST",
            details: problem.0.details.clone(),
        };
        let rendered = problem.render("/a?\"\\", HeaderMap::new()).into_body();
        let rendered = rendered.collect().await.unwrap().to_bytes();
        let expected = serde_json::to_string(&documented).unwrap();
        assert_eq!(String::from_utf8(rendered.into()).unwrap(), expected);
    }
}
