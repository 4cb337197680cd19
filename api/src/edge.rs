//! What surrounds every handler: the request's ID, who may come in, a time limit, metrics, the writing of
//! problem documents, and under all of it a net for panics. It stands around the handlers and is no layer of
//! theirs: that would be copied and boxed with every request.

use std::any::Any;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::{debug, error};

use crate::client_addr::TrustedProxies;
use crate::identity::Gatekeeper;
use crate::limits::Limits;
use crate::problem::{Kind, Problem, kind};
use crate::request_id::{RequestId, X_REQUEST_ID};
use crate::table::{Parameter, Route, RouteTable};
use crate::within::within;

/// Room for the headers of most answers: the handler's, and those that all have.
pub(crate) const HEADERS_USUAL: usize = 8;

/// The routes and what surrounds them.
pub struct Edge {
    /// Handlers by path and method, with their rules and metrics.
    pub table: RouteTable,
    /// Decides who comes in.
    pub gatekeeper: Arc<Gatekeeper>,
    /// Whose word on a client's address counts.
    pub proxies: TrustedProxies,
    /// How often an address may ask.
    pub limits: Arc<Limits>,
    /// Clients speak TLS with us.
    pub secure: bool,
    /// A request that takes longer is answered 503.
    pub timeout: Duration,
}

/// Which request it is, for answers and for the log.
pub(crate) struct About {
    pub(crate) id: RequestId,
    method: Method,
    uri: Uri,
}

impl About {
    pub(crate) fn of(request: &Request) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Self { id: RequestId::of(request.headers()), method, uri }
    }
}

impl Edge {
    /// Answers one request of `peer`.
    pub async fn answer(&self, request: Request, peer: IpAddr) -> Response {
        let started = Instant::now();
        let about = About::of(&request);
        let (route, parameter) = self.table.at(about.uri.path());
        // Pinned where it is made: what surrounds a future would move it, large as it is.
        let making = pin!(self.make(request, peer, route, parameter, &about));
        let made = AssertUnwindSafe(making).catch_unwind().await;
        let response = made.unwrap_or_else(|panic| self.fallen(&*panic, &about));
        route.meter.record(&about.method, response.status(), started.elapsed());
        response
    }

    async fn make(
        &self,
        mut request: Request,
        peer: IpAddr,
        route: &Route,
        parameter: Option<Parameter>,
        about: &About,
    ) -> Response {
        let About { id, method, uri } = about;
        let mut response = match self.let_in(&mut request, route, peer) {
            Ok(()) => {
                if let Some(parameter) = parameter {
                    request.extensions_mut().insert(parameter);
                }
                let handling = pin!(route.answer(request));
                match within(self.timeout, handling).await {
                    Ok(Ok(response)) => response,
                    Ok(Err(never)) => match never {},
                    Err(_) => Problem::new(kind::UNAVAILABLE, "It took too long.").into_response(),
                }
            }
            Err(problem) => problem.into_response(),
        };
        if response.status().is_client_error() || response.status().is_server_error() {
            response = document(response, uri.path());
            debug!(%id, %method, path = uri.path(), status = %response.status(), "not done");
        }
        self.finish(response.headers_mut(), id);
        response
    }

    /// The answer where making one panicked. Takes nothing from the one that was being made.
    pub(crate) fn fallen(&self, panic: &(dyn Any + Send), about: &About) -> Response {
        let About { id, method, uri } = about;
        error!(%id, %method, path = uri.path(), panic = text(panic), "answering panicked");
        let mut response = Problem::plain(kind::INTERNAL).render(uri.path(), HeaderMap::new());
        self.finish(response.headers_mut(), id);
        response
    }

    /// What every answer has.
    fn finish(&self, headers: &mut HeaderMap, id: &RequestId) {
        headers.insert(X_REQUEST_ID, id.clone().into());
        // Stock and outcomes change by the millisecond: nobody may keep an answer.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        harden(headers, self.secure);
    }

    /// Puts who they are into the request, or says why they may not come in. Where there is no handler
    /// anybody may hear so.
    fn let_in(&self, request: &mut Request, route: &Route, peer: IpAddr) -> Result<(), Problem> {
        let origin = self.proxies.client(peer, request.headers());
        self.limits.request(origin)?;
        let Some(rule) = route.rule(request.method()) else { return Ok(()) };
        let access = self.gatekeeper.admit(rule, request.headers(), origin)?;
        request.extensions_mut().insert(access);
        Ok(())
    }
}

/// What keeps browsers from doing more with an answer than a client would (OWASP, REST Security Cheat
/// Sheet). A page that needs more than nothing brings its own policy.
fn harden(headers: &mut HeaderMap, secure: bool) {
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if secure {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}

/// The problem document of a failure. Answers that bring their own JSON (readiness) keep it.
fn document(mut response: Response, path: &str) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return problem.render(path, std::mem::take(response.headers_mut()));
    }
    let content_type = response.headers().get(header::CONTENT_TYPE);
    if content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json")) {
        return response;
    }
    // The framework's own: wrong method.
    let problem = Problem::plain(Kind::of_status(response.status()));
    problem.render(path, std::mem::take(response.headers_mut()))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a text")
}

#[cfg(test)]
pub(crate) mod tests {
    use axum::body::Body;
    use axum::http::HeaderName;
    use axum::routing::{MethodRouter, get};
    use http_body_util::BodyExt;
    use shared::adapters::embedded::EmbeddedRates;
    use shared::config::{Config, DEFAULT_TOML};
    use shared::pipeline::limits::Limiter;

    use super::*;

    /// An edge with one route that lets everybody in.
    pub(crate) fn around(
        template: &str,
        handlers: MethodRouter,
        change: impl FnOnce(&mut Config),
    ) -> Edge {
        let mut config: Config = toml::from_str(DEFAULT_TOML).unwrap();
        change(&mut config);
        let limiter = Limiter::start(Arc::new(EmbeddedRates::default()));
        Edge {
            table: RouteTable::new([(template.to_owned(), vec![], handlers)]),
            gatekeeper: Arc::new(Gatekeeper::new(&config)),
            proxies: TrustedProxies(config.http.trusted_proxies.clone()),
            limits: Arc::new(Limits::new(limiter, &config.limits)),
            secure: false,
            timeout: Duration::from_millis(50),
        }
    }

    pub(crate) fn request(path: &str) -> Request {
        Request::builder().uri(path).body(Body::empty()).unwrap()
    }

    /// Checks that this is a problem document with an ID; gives the status and the document.
    pub(crate) async fn problem(response: Response) -> (u16, serde_json::Value) {
        assert!(response.headers().contains_key(X_REQUEST_ID));
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// An answer with room for so many more headers: whoever adds another one panics.
    pub(crate) fn nearly_full(room: usize) -> Response {
        let mut response = ().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        for n in 0..40_000 {
            let name = HeaderName::try_from(format!("x-{n}")).unwrap();
            let _ = headers.try_append(name, HeaderValue::from_static(""));
        }
        for n in 0..room {
            headers.remove(format!("x-{n}").as_str());
        }
        response
    }

    /// Asks an edge whose only handler is this one.
    async fn ask(handler: MethodRouter) -> (u16, serde_json::Value) {
        let edge = around("/asked", handler, |_| {});
        problem(edge.answer(request("/asked"), [127, 0, 0, 1].into()).await).await
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing_of_it() {
        let (status, problem) = ask(get(async || panic!("a defect") as ())).await;
        assert_eq!((status, &problem["code"]), (500, &"INTERNAL".into()));
        assert!(!problem.to_string().contains("a defect"), "{problem}");
    }

    #[tokio::test]
    async fn so_is_one_after_the_handler() {
        let (status, problem) = ask(get(async || nearly_full(0))).await;
        assert_eq!((status, &problem["code"]), (500, &"INTERNAL".into()));
    }

    #[test]
    fn so_is_one_before_the_handler() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let limited = |config: &mut Config| config.limits.per_ip_per_second = 1;
        let edge = runtime.block_on(async { around("/", get(()), limited) });
        // Nobody can be told of a request without a runtime.
        let answer = edge.answer(request("/"), [127, 0, 0, 1].into());
        let (status, problem) = futures::executor::block_on(async { problem(answer.await).await });
        assert_eq!((status, &problem["code"]), (500, &"INTERNAL".into()));
    }

    #[test]
    fn the_log_has_what_a_panic_said() {
        let said = |panic: Box<dyn Any + Send>| text(&*panic).to_owned();
        assert_eq!(said(Box::new("a defect")), "a defect");
        assert_eq!(said(Box::new(String::from("a defect"))), "a defect");
        assert_eq!(said(Box::new(7)), "without a text");
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_a_503() {
        let (status, problem) = ask(get(std::future::pending::<()>)).await;
        assert_eq!((status, &problem["code"]), (503, &"UNAVAILABLE".into()));
    }
}
