//! A client's requests over HTTP, and what it makes of the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use hmac::{Hmac, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::domain::{ProductId, Reason, Status, TrackingId, UserId};

use super::programs::{API_KEY, Program, WEBHOOK_SECRET};
use super::recorder::{Recorder, now};
use crate::crowd::{Counter, End};
use crate::history::{Answer, Seen, Want, What};

/// A client library's usual limit.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What everybody who makes requests shares.
pub(super) struct Desk {
    http: reqwest::Client,
    apis: Vec<Arc<Program>>,
    pub(super) recorder: Recorder,
    attempts: AtomicU64,
}

/// An answer of any kind.
struct Reply {
    status: StatusCode,
    body: Value,
}

impl Reply {
    fn id(&self) -> Option<TrackingId> {
        let ids = ["trackingId", "orderId", "reservationId"];
        let id = ids.iter().find_map(|name| self.body[name].as_str());
        id.or_else(|| self.body["details"]["trackingId"].as_str())?.parse().ok()
    }

    fn name(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }
}

impl Desk {
    pub(super) fn new(apis: Vec<Arc<Program>>, recorder: Recorder) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self { http, apis, recorder, attempts: AtomicU64::new(1) })
    }

    /// Sends a request; nothing where there was no answer.
    async fn send(
        &self,
        api: &Program,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Option<Reply> {
        let url = format!("{}{path}", api.base.as_deref()?);
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let status = response.status();
        let body = response.text().await.ok()?;
        Some(Reply { status, body: serde_json::from_str(&body).unwrap_or_default() })
    }

    /// One attempt to buy or hold at this instance.
    pub(super) async fn ask(&self, api: &Program, want: &Want, sync: bool) -> Answer {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let Want { user, product, quantity, hold, key } = want;
        self.recorder.note(What::Asked { attempt, want: want.clone() });
        let body = json!({ "productId": product, "quantity": quantity, "userId": user });
        let mut headers = Vec::new();
        if let Some(key) = key {
            headers.push(("idempotency-key", key.as_str()));
        }
        if *hold && !sync {
            headers.push(("prefer", "respond-async"));
        }
        let path = match (hold, sync) {
            (true, _) => "/api/v1/reservations",
            (false, true) => "/api/v1/sync/purchase",
            (false, false) => "/api/v1/async/purchase",
        };
        let reply = self.send(api, Method::POST, path, &headers, Some(&body)).await;
        let answer = reply.map_or(Answer::Unknown, |reply| told(&reply));
        self.recorder.note(What::Answered { attempt, answer: answer.clone() });
        answer
    }

    /// A look at an order, as this instance shows it.
    pub(super) async fn show(&self, api: &Program, id: TrackingId) -> Seen {
        let instance = api.instance();
        let path = format!("/api/v1/purchases/{id}");
        let seen = match self.send(api, Method::GET, &path, &[], None).await {
            Some(reply) if reply.status == StatusCode::OK => {
                let status = Status::from_name(reply.name("status"));
                let order = reply.name("orderId").parse();
                let version = reply.body["version"].as_i64();
                match (order, status, version) {
                    (Ok(order), Some(status), Some(version)) => {
                        Seen::Order { order, status, version }
                    }
                    _ => Seen::Unknown,
                }
            }
            Some(reply) if reply.status == StatusCode::NOT_FOUND => Seen::NeverIssued,
            _ => Seen::Unknown,
        };
        // Between two lives nobody can tell whose answer it was.
        if api.instance() == instance {
            self.recorder.note(What::Looked { reader: instance, id, seen: seen.clone() });
        }
        seen
    }

    /// Begins to pay for a hold at this instance.
    pub(super) async fn check_out_at(
        &self,
        api: &Program,
        id: TrackingId,
        user: &UserId,
        reference: &str,
    ) {
        let body = json!({ "reservationId": id, "paymentTransactionId": reference,
            "paymentMethod": "card", "shippingAddress": { "city": "Bern" } });
        let headers = [("x-user-id", user.as_str())];
        let path = "/api/v1/orders/checkout";
        self.send(api, Method::POST, path, &headers, Some(&body)).await;
    }

    /// One of the APIs, as a balancer would choose it.
    fn any_api(&self, rng: &mut Rng) -> &Program {
        &self.apis[rng.usize(..self.apis.len())]
    }

    /// Something that only an operator may do; nothing where there was no answer.
    pub(super) async fn operate(
        &self,
        api: &Program,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Option<(StatusCode, Value)> {
        let headers = [("x-api-key", API_KEY)];
        let reply = self.send(api, method, path, &headers, Some(body)).await?;
        Some((reply.status, reply.body))
    }

    /// The same; false where it may be that it was not done.
    async fn operated(&self, rng: &mut Rng, method: Method, path: &str, body: &Value) -> bool {
        let reply = self.operate(self.any_api(rng), method, path, body).await;
        reply.is_some_and(|(status, _)| !status.is_server_error())
    }

    /// What an API says of itself and of what it depends on.
    pub(super) async fn readiness(&self, api: &Program) -> Option<String> {
        let reply = self.send(api, Method::GET, "/readyz", &[], None).await?;
        Some(reply.name("status").to_owned())
    }
}

#[async_trait]
impl Counter for Desk {
    async fn purchase(&self, rng: &mut Rng, want: &Want, sync: bool) -> Answer {
        self.ask(self.any_api(rng), want, sync).await
    }

    async fn look(&self, rng: &mut Rng, id: TrackingId) -> Seen {
        self.show(self.any_api(rng), id).await
    }

    async fn check_out(&self, rng: &mut Rng, id: TrackingId, user: &UserId, reference: &str) {
        self.check_out_at(self.any_api(rng), id, user, reference).await;
    }

    async fn report(&self, rng: &mut Rng, id: TrackingId, reference: &str, paid: bool) {
        let kind = if paid { "payment.succeeded" } else { "payment.failed" };
        let body = json!({ "type": kind, "orderId": id, "paymentTransactionId": reference });
        let Some(signature) = sign(&body) else { return };
        let headers = [("doorbuster-signature", signature.as_str())];
        let path = "/api/v1/payments/webhook";
        self.send(self.any_api(rng), Method::POST, path, &headers, Some(&body)).await;
    }

    async fn end(&self, rng: &mut Rng, id: TrackingId, user: &UserId, how: End) -> bool {
        let headers = [("x-user-id", user.as_str())];
        let (method, path) = match how {
            End::Release => (Method::DELETE, format!("/api/v1/reservations/{id}")),
            End::Cancel => (Method::POST, format!("/api/v1/orders/{id}/cancel")),
            End::Fulfil => {
                let path = format!("/api/v1/orders/{id}/fulfil");
                return self.operated(rng, Method::POST, &path, &json!({})).await;
            }
        };
        let reply = self.send(self.any_api(rng), method, &path, &headers, None).await;
        reply.is_some_and(|reply| !reply.status.is_server_error())
    }

    async fn restock(&self, rng: &mut Rng, product: ProductId, delta: i64) -> bool {
        let path = format!("/api/v1/products/{product}/restock");
        self.operated(rng, Method::POST, &path, &json!({ "quantity": delta })).await
    }

    async fn set_active(&self, rng: &mut Rng, product: ProductId, active: bool) -> bool {
        let path = format!("/api/v1/products/{product}");
        self.operated(rng, Method::PATCH, &path, &json!({ "active": active })).await
    }
}

/// The signature of a payment provider.
fn sign(body: &Value) -> Option<String> {
    let seconds = now().millis() / 1_000;
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).ok()?;
    mac.update(format!("{seconds}.{body}").as_bytes());
    let signature = mac.finalize().into_bytes();
    Some(format!("t={seconds},v1={signature:x}"))
}

/// What a purchase's client was told.
fn told(reply: &Reply) -> Answer {
    match (reply.status.as_u16(), reply.id()) {
        (200..=202 | 409, Some(id)) => Answer::Accepted { id },
        (409 | 404 | 422, None) => match Reason::from_name(reply.name("code")) {
            Some(reason) => Answer::Refused { reason },
            None => Answer::Unknown,
        },
        _ => Answer::Unknown,
    }
}
