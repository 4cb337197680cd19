//! A stream of events over HTTP (the HTML standard, section 9.2, "Server-sent events").

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{BoxStream, Stream, StreamExt};
use serde::Serialize;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Live, Seat};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Keeps nginx from holding events back.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A comment: proxies see that the connection lives, clients ignore it.
const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");
/// Who lost the stream comes back after a time between these, so that a crowd does not come back at once.
const RETRY_MS: std::ops::Range<u32> = 1_000..3_000;

/// One event, rendered.
pub fn event(name: &str, id: impl Display, data: &impl Serialize) -> Bytes {
    let mut event = format!("event: {name}\nid: {id}\ndata: ").into_bytes();
    // JSON as serde writes it has no line breaks, and writing into memory has no way to fail.
    let _ = serde_json::to_writer(&mut event, data);
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// The last event that the client has, as it says.
pub fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_EVENT_ID)?.to_str().ok()
}

/// There is nothing more to tell: an `EventSource` that is answered so does not come back.
pub fn nothing_more() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Answers with these events, until they end, the client leaves, or the program is asked to stop.
pub fn stream(
    live: &Live,
    seat: Seat,
    events: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    let mut heartbeat = interval_at(Instant::now() + live.heartbeat, live.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = Events {
        retry: Some(format!("retry: {}\n\n", rand::random_range(RETRY_MS)).into()),
        news: events.boxed(),
        heartbeat,
        stop: Box::pin(live.draining.clone().cancelled_owned()),
        seat,
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(events)).into_response()
}

struct Events {
    retry: Option<Bytes>,
    news: BoxStream<'static, Bytes>,
    heartbeat: Interval,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    seat: Seat,
}

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(retry) = self.retry.take() {
            return Poll::Ready(Some(Ok(retry)));
        }
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(event) = self.news.poll_next_unpin(cx) {
            if event.is_some() {
                self.seat.pushed();
            }
            return Poll::Ready(event.map(Ok));
        }
        self.heartbeat.poll_tick(cx).map(|_| Some(Ok(HEARTBEAT)))
    }
}
