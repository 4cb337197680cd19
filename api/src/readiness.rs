//! Readiness: can purchases be accepted, and what is missing?

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use shared::domain::ProductId;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::debug;
use utoipa::ToSchema;

use crate::state::App;

/// A dependency that takes longer to answer counts as away.
const PATIENCE: Duration = Duration::from_millis(500);
/// A report is good for so long: probes cannot hammer the dependencies.
const FRESH: Duration = Duration::from_millis(500);

/// How the instance as a whole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// Everything is there.
    Ready,
    /// Purchases are accepted; something else is away.
    Degraded,
    /// Purchases cannot be accepted.
    Unavailable,
}

/// How one dependency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It answered, or was loaded.
    Up,
    /// It did not answer, or was never loaded.
    Down,
}

/// One dependency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Check {
    /// How it is.
    pub status: Condition,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "no answer within 500 ms")]
    pub detail: Option<String>,
}

/// The answer of `/readyz`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Report {
    /// How the instance as a whole is.
    pub status: Overall,
    /// Each dependency: `rabbitmq`, `redis`, `postgresql`, `catalogue`, `trackingKey`; with tokens
    /// (`auth.mode = "jwt"`) also `tokenKeys`.
    #[schema(value_type = std::collections::BTreeMap<String, Check>)]
    pub checks: BTreeMap<&'static str, Check>,
}

/// The latest report. Probes that come together share one.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Instant, Report)>>);

impl Readiness {
    /// A report that is at most half a second old.
    pub async fn report(&self, app: &App) -> Report {
        let mut latest = self.0.lock().await;
        match &*latest {
            Some((at, report)) if at.elapsed() < FRESH => report.clone(),
            _ => {
                let report = examine(app).await;
                *latest = Some((Instant::now(), report.clone()));
                report
            }
        }
    }
}

async fn examine(app: &App) -> Report {
    // Any product will do: what counts is that there is an answer.
    let probe = [ProductId(1)];
    let ports = &app.ports;
    let (redis, postgresql) = tokio::join!(
        answers("redis", ports.gate.levels(&probe)),
        answers("postgresql", ports.ledger.stock(&probe))
    );
    let rabbitmq = check(ports.queue.writable().map_err(|error| {
        debug!(dependency = "rabbitmq", %error, "not ready");
        "it takes no messages; see the log".to_owned()
    }));
    let catalogue = loaded(app.boards.catalogue.current().is_some());
    let tracking_key = loaded(app.keys.minter().is_some());
    // Where anybody may say who they are, purchases do not need them.
    let token_keys =
        (!app.gatekeeper.open()).then(|| loaded(!app.gatekeeper.tokens.ring().is_empty()));
    let down = |check: &Check| check.status == Condition::Down;
    let needed = [&rabbitmq, &catalogue, &tracking_key].into_iter().chain(&token_keys);
    let status = if needed.into_iter().any(down) {
        Overall::Unavailable
    } else if down(&redis) || down(&postgresql) {
        Overall::Degraded
    } else {
        Overall::Ready
    };
    let mut checks = BTreeMap::from([
        ("rabbitmq", rabbitmq),
        ("redis", redis),
        ("postgresql", postgresql),
        ("catalogue", catalogue),
        ("trackingKey", tracking_key),
    ]);
    checks.extend(token_keys.map(|check| ("tokenKeys", check)));
    Report { status, checks }
}

/// What exactly went wrong is for the log: a driver's words may name hosts and users.
async fn answers<T, E: std::fmt::Display>(
    dependency: &str,
    asked: impl Future<Output = Result<T, E>>,
) -> Check {
    check(match timeout(PATIENCE, asked).await {
        Ok(Err(error)) => {
            debug!(dependency, %error, "not ready");
            Err("it does not answer; see the log".to_owned())
        }
        Ok(Ok(_)) => Ok(()),
        Err(_) => Err(format!("no answer within {} ms", PATIENCE.as_millis())),
    })
}

fn loaded(loaded: bool) -> Check {
    check(loaded.then_some(()).ok_or_else(|| "not loaded yet".into()))
}

fn check(result: Result<(), String>) -> Check {
    match result {
        Ok(()) => Check { status: Condition::Up, detail: None },
        Err(detail) => Check { status: Condition::Down, detail: Some(detail) },
    }
}
