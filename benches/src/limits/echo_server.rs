//! The bare HTTP server, and the process that it runs in.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::{get, post};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::cpu;
use super::error::LimitError;
use crate::client::Target;

/// Where purchases are posted.
pub(super) const PURCHASE: &str = "/purchase";
/// Where the availability is read.
pub(super) const AVAILABILITY: &str = "/availability";

/// Bodies of the API, as long as they are there.
const ACCEPTED: &str = r#"{"accepted":true,"trackingId":"019a9d2e-3c00-8000-8000-9f0c6a1b2c3d","status":"QUEUED","productId":1,"quantity":1,"userId":"st-0a1b2c3d-12345","message":"Your purchase is in the queue.","acceptedAt":"2026-01-01T00:00:00.000Z","links":{"self":"/api/v1/purchases/019a9d2e-3c00-8000-8000-9f0c6a1b2c3d","events":"/api/v1/purchases/019a9d2e-3c00-8000-8000-9f0c6a1b2c3d/events"}}"#;
const AVAILABLE: &str = r#"{"productId":1,"skuId":"PHONE-15","name":"Phone 15","description":"The new one, 256 GB","category":"electronics","basePrice":"999.00","flashSalePrice":null,"discountPercentage":null,"currency":"USD","availableCount":999,"reservedCount":0,"soldCount":1,"totalInventory":1000,"isAvailable":true,"isActive":true,"imageUrl":null,"version":2,"asOf":"2026-01-01T00:00:00.000Z"}"#;

/// Answers on `listener` until it is dropped: reads what it is sent, and says always the same.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    const JSON: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];
    let accept = |body: Bytes| async move {
        let status = if body.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED };
        (status, JSON, ACCEPTED)
    };
    let router = Router::new()
        .route(PURCHASE, post(accept))
        .route(AVAILABILITY, get(|| async { (JSON, AVAILABLE) }));
    axum::serve(listener, router).await
}

/// A process that runs [`serve`]. Killed when this is dropped.
pub struct EchoServer {
    process: Child,
    target: Target,
}

impl EchoServer {
    /// Starts `program`, which must print its address and then serve. It should end with its
    /// standard input, so that it cannot outlive whoever measures, however that ends.
    pub async fn start(mut program: Command) -> Result<Self, LimitError> {
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = program.spawn().map_err(LimitError::Echo)?;
        let mut addr = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut addr).await.map_err(LimitError::Echo)?;
        }
        let target = Target::resolve(&format!("http://{}", addr.trim())).await;
        let target = target.map_err(|error| LimitError::Echo(io::Error::other(error)))?;
        Ok(Self { process, target })
    }

    /// Where it listens.
    pub(super) fn target(&self) -> Target {
        self.target.clone()
    }

    /// Its processor time so far.
    pub(super) fn cpu(&self) -> Result<Duration, LimitError> {
        // Only a process that was waited for has no number, and nobody waits for this one.
        cpu::time(self.process.id().unwrap_or_default()).map_err(LimitError::Cpu)
    }
}
