//! Request metrics. Handles are looked up once per route and status and then kept: on the hot path
//! a request costs a few atomic steps.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};

/// Counts the requests of a route and measures their time.
pub struct Meter {
    route: String,
    seconds: Histogram,
    /// A handful per route.
    requests: RwLock<Vec<(Method, StatusCode, Counter)>>,
}

impl Meter {
    /// A meter of this route template.
    pub fn new(route: &str) -> Self {
        let seconds = histogram!("doorbuster_http_seconds", "route" => route.to_owned());
        Self { route: route.to_owned(), seconds, requests: RwLock::default() }
    }

    /// A meter of requests that match no route.
    pub fn unmatched() -> Self {
        Self::new("unmatched")
    }

    /// Records an answered request.
    pub fn record(&self, method: &Method, status: StatusCode, took: Duration) {
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
