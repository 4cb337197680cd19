//! Request metrics. Handles are looked up once per route and status and then kept: on the hot path
//! a request costs a hash of its route and a few atomic steps.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};

/// The route of requests that match none.
const UNMATCHED: &str = "unmatched";

/// Counts requests and measures their time, by route template.
pub struct Meter {
    routes: HashMap<String, RouteMeter>,
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
    pub fn new<'a>(routes: impl IntoIterator<Item = &'a String>) -> Self {
        let routes = routes.into_iter().map(|route| (route.clone(), RouteMeter::new(route)));
        Self { routes: routes.collect(), unmatched: RouteMeter::new(UNMATCHED) }
    }

    /// Records an answered request.
    pub fn record(&self, route: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
        let known = route.and_then(|route| self.routes.get(route));
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
