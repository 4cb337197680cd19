//! The bare HTTP server, and the process that it runs in.

use std::io;
use std::process::Stdio;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::routing::{get, post};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::error::LimitError;
use crate::engine::Watched;

/// Below this path every purchase is refused as sold out.
pub(super) const REFUSING: &str = "/refusing";

/// Paths of the API.
const PURCHASE: &str = "/api/v1/async/purchase";
const AVAILABILITY: &str = "/api/v1/products/{product}/availability";

/// Bodies of the API, as long as they are there.
const ACCEPTED: &str = r#"{"accepted":true,"trackingId":"019a9d2e-3c00-8000-8000-9f0c6a1b2c3d","status":"QUEUED","productId":1,"quantity":1,"userId":"st-0a1b2c3d-12345","message":"Your purchase is in the queue.","acceptedAt":"2026-01-01T00:00:00.000Z","links":{"self":"/api/v1/purchases/019a9d2e-3c00-8000-8000-9f0c6a1b2c3d","events":"/api/v1/purchases/019a9d2e-3c00-8000-8000-9f0c6a1b2c3d/events"}}"#;
const AVAILABLE: &str = r#"{"productId":1,"skuId":"PHONE-15","name":"Phone 15","description":"The new one, 256 GB","category":"electronics","basePrice":"999.00","flashSalePrice":null,"discountPercentage":null,"currency":"USD","availableCount":999,"reservedCount":0,"soldCount":1,"totalInventory":1000,"isAvailable":true,"isActive":true,"imageUrl":null,"version":2,"asOf":"2026-01-01T00:00:00.000Z"}"#;
/// Its name among the processes of a measurement.
pub(super) const SERVER: &str = "server";

const REFUSED: &str = r#"{"type":"/docs#OUT_OF_STOCK","title":"Too few units are available","status":409,"detail":"Too few units are available","instance":"/api/v1/async/purchase","code":"OUT_OF_STOCK","details":{}}"#;

/// Answers on `listener` until it is dropped: reads what it is sent, and says always the same.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let json = |kind: &'static str| [(CONTENT_TYPE, HeaderValue::from_static(kind))];
    let accept = async move |body: Bytes| {
        let status = if body.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED };
        (status, json("application/json"), ACCEPTED)
    };
    let refuse = async move |body: Bytes| {
        let status = if body.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::CONFLICT };
        (status, json("application/problem+json"), REFUSED)
    };
    let router = Router::new()
        .route(PURCHASE, post(accept))
        .route(&format!("{REFUSING}{PURCHASE}"), post(refuse))
        .route(AVAILABILITY, get(async move || (json("application/json"), AVAILABLE)));
    axum::serve(listener, router).await
}

/// A process that runs [`serve`]. Killed when this is dropped.
pub struct EchoServer {
    process: Child,
    url: String,
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
        Ok(Self { process, url: format!("http://{}", addr.trim()) })
    }

    /// Where it listens.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whose processor time is counted.
    pub(super) fn watched(&self) -> Result<Watched, LimitError> {
        let gone = || LimitError::Echo(io::Error::other("it has ended"));
        Ok(Watched { name: SERVER.to_owned(), pid: self.process.id().ok_or_else(gone)? })
    }
}
