//! HTTP alone: a bare axum server in a process of its own, asked by the load generator what scenarios
//! ask, as fast as it answers. No API whose bodies are of this size can do better beside this generator.

use std::time::Duration;

pub use super::echo_server::{EchoServer, serve};
use super::echo_server::{REFUSING, SERVER};
use super::error::LimitError;
use super::ground::{Ground, WARM_UP_MAX};
use super::show::Echo as Line;
use crate::engine::{Load, Scenario, bare};
use crate::measure::{Arrivals, Measurement};

/// The name under which the generator's own processes are counted.
const GENERATOR: &str = "load";

/// Hundreds of connections must have been opened and answered, also on a machine that is busy otherwise.
const EACH_MIN: Duration = Duration::from_millis(500);

/// What is asked, and below which path.
const ASKED: [(Scenario, &str); 3] =
    [(Scenario::Accept, ""), (Scenario::SoldOut, REFUSING), (Scenario::Reads { polls: 0.0 }, "")];

/// Asks `server` all of it, one after the other.
pub async fn measure(
    server: &EchoServer,
    ground: &Ground<'_>,
) -> Result<Vec<Measurement>, LimitError> {
    let mut found = Vec::new();
    for (scenario, base) in ASKED {
        let load = Load {
            duration: ground.each_http.max(EACH_MIN),
            warm_up: WARM_UP_MAX.min(ground.each_http),
            processes: vec![server.watched()?],
            ..Load::new(
                vec![format!("{}{base}", server.url())],
                scenario,
                Arrivals::Closed { connections: ground.connections },
            )
        };
        let asking = async { bare::measure(load).await.map_err(LimitError::NoEcho) };
        let echo = ground.unless_stopped(asking).await?;
        if !echo.problems.is_empty() {
            return Err(LimitError::StrangeEcho(echo.problems.join("; ")));
        }
        (ground.say)(&Line(&echo).to_string());
        found.push(echo);
    }
    Ok(found)
}

/// Processor time of the server and of the generator for a request, in microseconds.
pub(super) fn cpu_us(echo: &Measurement) -> [f64; 2] {
    let used_s = |name| {
        let used = echo.processes.iter().find(|used| used.name == name);
        used.map_or(0.0, |used| used.cpu_s)
    };
    // The server is a child of the generator, so its time is in both.
    let (server_s, all_s) = (used_s(SERVER), used_s(GENERATOR));
    let answered = (echo.answered_per_s * echo.wall_s).max(1.0);
    [server_s, (all_s - server_s).max(0.0)].map(|seconds| seconds * 1e6 / answered)
}
