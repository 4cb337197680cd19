//! Pages of other origins, where the configuration lets them ask (the Fetch standard's CORS protocol).

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, Method, header};
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use shared::config::Origins;
use tower::{Layer, Service, ServiceExt};
use tower_http::cors::{AllowOrigin, Cors, CorsLayer};

use crate::edge::Edge;
use crate::request_id::{RequestId, X_REQUEST_ID};

/// A browser asks again whether it may after this time.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What browsers may send beside what they always may.
const SENT: [HeaderName; 11] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-challenge-verdict"),
    HeaderName::from_static("x-queue-pass"),
    HeaderName::from_static("x-queue-ticket"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-user-id"),
];
/// What pages may see of an answer beside what they always may.
const SEEN: [HeaderName; 6] = [
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("preference-applied"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("x-request-id"),
];

/// The edge, and in front of it the answers to browsers who ask whether they may.
#[derive(Clone)]
pub struct Front {
    edge: Arc<Edge>,
    cors: Option<Cors<Behind>>,
}

impl Front {
    /// Lets pages of these origins ask; without any, nothing is added to any answer.
    pub fn new(edge: Edge, origins: &Origins) -> Self {
        let edge = Arc::new(edge);
        let cors = origins.allowed().map(|allowed| {
            let origin = if allowed.iter().any(|origin| origin == "*") {
                AllowOrigin::any()
            } else {
                AllowOrigin::list(allowed.iter().cloned())
            };
            // Without credentials: tokens come in a header, which a page must have been given.
            let layer = CorsLayer::new()
                .allow_origin(origin)
                .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
                .allow_headers(SENT)
                .expose_headers(SEEN)
                .max_age(REMEMBERED);
            layer.layer(Behind(Arc::clone(&edge)))
        });
        Self { edge, cors }
    }

    /// Answers one request of `peer`.
    pub async fn answer(&self, mut request: Request, peer: IpAddr) -> Response {
        let Some(cors) = &self.cors else { return self.edge.answer(request, peer).await };
        request.extensions_mut().insert(Peer(peer));
        let id = RequestId::of(request.headers());
        match cors.clone().oneshot(request).await {
            Ok(mut response) => {
                // An answer that did not come from the edge.
                response.headers_mut().entry(X_REQUEST_ID).or_insert(id.into());
                response
            }
            Err(never) => match never {},
        }
    }
}

#[derive(Clone, Copy)]
struct Peer(IpAddr);

/// The edge as what a layer can stand in front of.
#[derive(Clone)]
struct Behind(Arc<Edge>);

impl Service<Request> for Behind {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let edge = Arc::clone(&self.0);
        let peer = request.extensions().get::<Peer>().map_or([0; 4].into(), |peer| peer.0);
        async move { Ok(edge.answer(request, peer).await) }.boxed()
    }
}
