//! Request metrics. Handles are looked up once per route and status and then kept: on the hot path
//! a request costs a look at its path and a few atomic steps.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};
use tracing::error;

/// The route of requests that match none.
const UNMATCHED: &str = "unmatched";

/// Counts requests and measures their time, by route template.
pub struct Meter {
    routes: matchit::Router<RouteMeter>,
    unmatched: RouteMeter,
}

struct RouteMeter {
    route: String,
    seconds: Histogram,
    /// A handful per route.
    requests: RwLock<Vec<(Method, StatusCode, Counter)>>,
}

impl Meter {
    /// A meter of these route templates.
    pub fn new<'a>(templates: impl IntoIterator<Item = &'a String>) -> Self {
        let mut routes = matchit::Router::new();
        for template in templates {
            // They are routes of the router, which matches in the same way.
            if let Err(error) = routes.insert(template, RouteMeter::new(template)) {
                error!(%error, template, "a route cannot be measured apart");
            }
        }
        Self { routes, unmatched: RouteMeter::new(UNMATCHED) }
    }

    /// Records an answered request of `path`.
    pub fn record(&self, path: &str, method: &Method, status: StatusCode, took: Duration) {
        let known = self.routes.at(path).map(|found| found.value);
        known.unwrap_or(&self.unmatched).record(method, status, took);
    }
}

impl RouteMeter {
    fn new(route: &str) -> Self {
        let seconds = histogram!("doorbuster_http_seconds", "route" => route.to_owned());
        Self { route: route.to_owned(), seconds, requests: RwLock::default() }
    }

    fn record(&self, method: &Method, status: StatusCode, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        let kept = self.requests.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., counter)) = kept.iter().find(|(m, s, _)| m == method && *s == status) {
            return counter.increment(1);
        }
        drop(kept);
        self.first(method, status).increment(1);
    }

    fn first(&self, method: &Method, status: StatusCode) -> Counter {
        // Methods are the client's to invent; labels are not.
        let extension = !matches!(
            *method,
            Method::GET
                | Method::HEAD
                | Method::POST
                | Method::PUT
                | Method::PATCH
                | Method::DELETE
                | Method::OPTIONS
        );
        let shown = if extension { "OTHER" } else { method.as_str() };
        let counter = counter!(
            "doorbuster_http_requests_total",
            "route" => self.route.clone(),
            "method" => shown.to_owned(),
            "status" => status.as_u16().to_string(),
        );
        if !extension {
            let mut kept = self.requests.write().unwrap_or_else(PoisonError::into_inner);
            kept.push((method.clone(), status, counter.clone()));
        }
        counter
    }
}
