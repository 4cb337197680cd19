//! Pages of other origins, where the configuration lets them ask (the Fetch standard's CORS protocol).

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
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

use crate::edge::{About, Edge};
use crate::request_id::X_REQUEST_ID;

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
        let about = About::of(&request);
        request.extensions_mut().insert(Peer(peer));
        let answered = async {
            match cors.clone().oneshot(request).await {
                Ok(mut response) => {
                    // An answer that did not come from the edge.
                    let id = || about.id.clone().into();
                    response.headers_mut().entry(X_REQUEST_ID).or_insert_with(id);
                    response
                }
                Err(never) => match never {},
            }
        };
        let answered = AssertUnwindSafe(answered).catch_unwind().await;
        answered.unwrap_or_else(|panic| self.edge.fallen(&*panic, &about))
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

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;
    use crate::edge::tests::{around, nearly_full, problem, request};

    #[tokio::test]
    async fn a_panic_in_front_of_the_edge_is_a_problem_too() {
        // The edge finds room for its five headers, and those for browsers find none.
        let full = get(async || nearly_full(5));
        let origins = Origins::try_from("*".to_owned()).unwrap();
        let front = Front::new(around("/full", full, |_| {}), &origins);
        let answer = front.answer(request("/full"), [127, 0, 0, 1].into()).await;
        let (status, problem) = problem(answer).await;
        assert_eq!((status, &problem["code"]), (500, &"INTERNAL".into()));
    }
}
