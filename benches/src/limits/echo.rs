//! HTTP alone: a bare axum server in a process of its own, asked by our own client as fast as it
//! answers. No API whose bodies are of this size can do better beside this client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::cpu;
use super::echo_server::{AVAILABILITY, PURCHASE};
pub use super::echo_server::{EchoServer, serve};
use super::error::LimitError;
use super::ground::{Ground, Pace};
use crate::client::{Broken, Line, Request, Target};

/// As many as the load generator uses where nobody says otherwise.
const CONNECTIONS: usize = 256;
/// Only a server that has died takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

const REQUESTS: [Request<'static>; 2] = [
    Request {
        method: "POST",
        path: PURCHASE,
        headers: &[("Idempotency-Key", "st-0a1b2c3d-12345")],
        body: br#"{"productId":1,"quantity":1,"userId":"st-0a1b2c3d-12345"}"#,
    },
    Request { method: "GET", path: AVAILABILITY, headers: &[], body: b"" },
];

/// What a bare server answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Echo {
    /// `POST`, answered like an accepted purchase, or `GET`, answered like an availability.
    pub method: String,
    /// Keep-alive connections, each with one request under way at a time.
    pub connections: usize,
    /// Requests answered per second.
    pub requests_per_s: f64,
    /// Processor time of the server per request, in microseconds.
    pub server_cpu_us: f64,
    /// Processor time of the client per request, in microseconds.
    pub client_cpu_us: f64,
}

/// Asks `server` both things, one after the other.
pub async fn measure(server: &EchoServer, ground: &Ground<'_>) -> Result<Vec<Echo>, LimitError> {
    let mut found = Vec::new();
    for request in &REQUESTS {
        let echo = ground.unless_stopped(one(server, request, ground)).await?;
        (ground.say)(&echo.to_string());
        found.push(echo);
    }
    Ok(found)
}

async fn one(
    server: &EchoServer,
    request: &'static Request<'static>,
    ground: &Ground<'_>,
) -> Result<Echo, LimitError> {
    let target: Arc<[Target]> = [server.target()].into();
    let mut lines: Vec<_> = (0..CONNECTIONS).map(|_| Line::new(target.clone(), 0)).collect();
    let ours = || cpu::time(std::process::id()).map_err(LimitError::Cpu);
    let (mut of_server, mut of_client) = (Duration::ZERO, Duration::ZERO);
    let pace = ground.warm(async |time| {
        let before = (server.cpu()?, ours()?);
        let pace = ask(&mut lines, request, time).await?;
        (of_server, of_client) =
            (server.cpu()?.saturating_sub(before.0), ours()?.saturating_sub(before.1));
        Ok(pace)
    });
    let pace = pace.await?;
    Ok(Echo {
        method: request.method.to_owned(),
        connections: CONNECTIONS,
        requests_per_s: pace.per_s(),
        server_cpu_us: pace.share(of_server.as_secs_f64() * 1e6),
        client_cpu_us: pace.share(of_client.as_secs_f64() * 1e6),
    })
}

/// A closed loop on every line until `time` is over; the lines stay open for the next.
async fn ask(
    lines: &mut Vec<Line>,
    request: &'static Request<'static>,
    time: Duration,
) -> Result<Pace, LimitError> {
    let (began, mut done) = (Instant::now(), 0);
    let mut loops = JoinSet::new();
    for mut line in lines.drain(..) {
        loops.spawn(async move {
            let mut answers = 0;
            while began.elapsed() < time {
                line.call(request, PATIENCE).await?;
                answers += 1;
            }
            Ok::<(Line, u64), Broken>((line, answers))
        });
    }
    while let Some(ended) = loops.join_next().await {
        let (line, answers) = ended??;
        lines.push(line);
        done += answers;
    }
    Ok(Pace::since(began, done))
}
