//! Running the room over the ports.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use shared::boards::feed;
use shared::config::Config;
use shared::pipeline::events::Events;
use shared::pipeline::relay::{Payer, Relay};
use shared::ports::Ports;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cors::Front;
use crate::identity::watch;
use crate::router::router;
use crate::server::serve;
use crate::state::{App, Shared};
use crate::tls::Identity;

/// Nobody is let in to a sale while purchases wait in the queue for longer than this, in seconds, or nobody
/// knows for how long; nor while synchronous ones are turned away.
const BEHIND_S: f64 = 5.0;
/// What is announced after the last answer gets this long; the outbox sweep finds the rest.
const RELAY_PATIENCE: Duration = Duration::from_secs(2);

/// Serves the API on `listener` until `shutdown`, then finishes what is open and returns.
///
/// It starts whether or not the dependencies are there: `/readyz` tells what is missing, and
/// purchases are refused with 503 until they can be accepted.
pub async fn run(
    ports: Ports,
    config: &Config,
    metrics: Option<PrometheusHandle>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let identity = Identity::from_config(&config.http).map_err(io::Error::other)?;
    let tls = identity.as_ref().map(Identity::acceptor).transpose().map_err(io::Error::other)?;
    let payer = Payer {
        gate: Arc::clone(&ports.gate),
        bus: Arc::clone(&ports.bus),
        queue: Arc::clone(&ports.queue),
        ledger: Arc::clone(&ports.ledger),
        events: Events::from_config(&config.events),
    };
    let (relay, relaying) = Relay::start(payer);
    let app = Arc::new(App::new(ports, config, metrics, relay, shutdown.clone()));
    let mut background = background(&app, config);
    if let Some(identity) = identity {
        background.spawn(async move { identity.follow().await });
    }
    info!(addr = %listener.local_addr()?, "listening");

    let front = Front::new(router(&app), &config.http.cors_origins);
    serve(listener, front, tls, &config.http, shutdown).await;

    // The last handles on the lines go with the state; then the relay runs dry and ends.
    drop((background, app));
    if tokio::time::timeout(RELAY_PATIENCE, relaying).await.is_err() {
        warn!("some announcements are left to the sweep");
    }
    Ok(())
}

/// What goes on beside requests. It ends when the set is dropped.
fn background(app: &Shared, config: &Config) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(feed(
        Arc::clone(&app.boards),
        Arc::clone(&app.ports.bus),
        Arc::clone(&app.ports.ledger),
        Arc::clone(&app.clock),
    ));
    let (keys, ledger) = (Arc::clone(&app.keys), Arc::clone(&app.ports.ledger));
    tasks.spawn(async move { keys.fetch(&*ledger).await });
    tasks.spawn(watch(
        Arc::clone(&app.gatekeeper),
        Arc::clone(&app.ports.identities),
        Arc::clone(&app.ports.clock),
        config.auth.clone(),
    ));
    let sampling = Arc::clone(app);
    tasks.spawn(async move {
        let App { sampler, ports, boards, clock, .. } = &*sampling;
        sampler.run(&*ports.queue, &boards.outcomes, &**clock).await;
    });
    let ushering = Arc::clone(app);
    tasks.spawn(async move {
        let App { waiting_rooms, sampler, concluder, .. } = &*ushering;
        waiting_rooms.usher(|| sampler.is_behind(BEHIND_S) || concluder.is_full()).await;
    });
    tasks
}
