//! What one request costs the generator, against a bare axum server in a second thread:
//! `cargo run --release -p doorbuster-benches --example client_cost -- [connections] [requests]`.
//!
//! CPU time is that of the client's only thread (`/proc/thread-self/schedstat`, Linux), so it
//! holds also on a busy machine; requests per second only on an idle one.
#![allow(clippy::print_stdout, reason = "an example talks to a person")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use loadgen::client::{Line, Request, Target};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const BODY: &[u8] = br#"{"productId":1,"quantity":1,"userId":"st-0a1b2c3d-12345"}"#;
const ANSWER: &str = r#"{"accepted":true,"trackingId":"019a9d2e-3c00-8000-8000-9f0c6a1b2c3d","status":"QUEUED","productId":1,"quantity":1,"userId":"st-0a1b2c3d-12345","message":"Your purchase is being processed","acceptedAt":"2026-01-01T00:00:00.000Z","links":{"self":"/api/v1/purchases/019a9d2e-3c00-8000-8000-9f0c6a1b2c3d","events":"/api/v1/purchases/019a9d2e-3c00-8000-8000-9f0c6a1b2c3d/events"}}"#;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let connections = arguments.next().transpose()?.unwrap_or(256);
    let requests = arguments.next().transpose()?.unwrap_or(400_000);
    let addr = serve()?;
    for round in 1..=2 {
        let ours = measure(connections, requests, |next| ours(addr, next, requests))?;
        println!("round {round}  this client     {ours}");
        let hyper = measure(connections, requests, |next| hyper(addr, next, requests))?;
        println!("round {round}  hyper http1     {hyper}");
    }
    Ok(())
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// The bare server: reads the body, answers 202.
fn serve() -> Result<SocketAddr> {
    let accept = |body: Bytes| async move {
        let status = if body.is_empty() { 400 } else { 202 };
        (axum::http::StatusCode::from_u16(status).unwrap_or_default(), ANSWER)
    };
    let router = axum::Router::new().route("/buy", axum::routing::post(accept));
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let runtime = runtime()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).await
        })
    });
    Ok(addr)
}

fn measure<F>(connections: u64, requests: u64, task: impl Fn(Arc<AtomicU64>) -> F) -> Result<String>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    runtime()?.block_on(async {
        let next = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        let (began, cpu_began) = (Instant::now(), thread_cpu()?);
        for _ in 0..connections {
            tasks.spawn(task(next.clone()));
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        let (wall, cpu) = (began.elapsed(), thread_cpu()?.saturating_sub(cpu_began));
        Ok(format!(
            "{:>7.0} requests/s   {:.2} µs CPU per request   {:>7.0} requests/s per client core",
            requests as f64 / wall.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / requests as f64,
            requests as f64 / cpu.as_secs_f64(),
        ))
    })
}

fn thread_cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().context("no CPU time")?.parse()?;
    Ok(Duration::from_nanos(nanos))
}

async fn ours(addr: SocketAddr, next: Arc<AtomicU64>, requests: u64) -> Result<()> {
    let target = Target::resolve(&format!("http://{addr}")).await?;
    let mut line = Line::new([target].into(), 0);
    while next.fetch_add(1, Ordering::Relaxed) < requests {
        let headers = &[("Idempotency-Key", "st-0a1b2c3d-12345")];
        let request = Request { method: "POST", path: "/buy", headers, body: BODY };
        let answer = line.call(&request, Duration::from_secs(10)).await?;
        anyhow::ensure!(answer.status == 202 && answer.body.len() == ANSWER.len());
    }
    Ok(())
}

async fn hyper(addr: SocketAddr, next: Arc<AtomicU64>, requests: u64) -> Result<()> {
    let stream = tokio::net::TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    tokio::spawn(connection);
    let host = addr.to_string();
    while next.fetch_add(1, Ordering::Relaxed) < requests {
        let request = hyper::Request::post("/buy")
            .header("host", &host)
            .header("content-type", "application/json")
            .header("idempotency-key", "st-0a1b2c3d-12345")
            .body(Full::new(Bytes::from_static(BODY)))?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>((status, body))
        };
        let (status, body) = tokio::time::timeout(Duration::from_secs(10), exchange).await??;
        anyhow::ensure!(status == 202 && body.len() == ANSWER.len());
    }
    Ok(())
}
