//! The accept loop: bounded in connections, in the time a client may take to send its headers, and
//! in the time a shutdown may take.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::gauge;
use shared::config::Http;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::edge::Edge;

/// Memory for the headers of one connection; more are answered 431. Bounds what 20,000 connections
/// can cost.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Pause after the system could not give us a connection, such as when it is out of files.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `edge` until `draining`; then open requests get `http.shutdown_timeout` to finish.
pub async fn serve(listener: TcpListener, edge: Edge, http: &Http, draining: CancellationToken) {
    let edge = Arc::new(edge);
    let permits = Arc::new(Semaphore::new(http.connections_max.get()));
    let open = TaskTracker::new();
    // Ends what is still open when the time for draining is up.
    let cut = CancellationToken::new();
    let ends = Ends { draining, cut: cut.clone() };
    while let Some((permit, accepted)) = next(&listener, &permits, &ends.draining).await {
        match accepted {
            Ok((stream, peer)) => {
                let edge = Arc::clone(&edge);
                let serving =
                    connection(stream, peer.ip(), edge, http.header_timeout, ends.clone());
                open.spawn(held(permit, serving));
            }
            Err(error) => pause(&error).await,
        }
    }
    drop((listener, edge));
    open.close();
    info!(connections = open.len(), "no new connections; finishing open requests");
    if tokio::time::timeout(http.shutdown_timeout, open.wait()).await.is_err() {
        warn!("some requests did not finish in time and are cut off");
        cut.cancel();
        open.wait().await;
    }
}

/// What ends a connection from our side.
#[derive(Clone)]
struct Ends {
    /// Finish the request under way, take no further one.
    draining: CancellationToken,
    /// Now.
    cut: CancellationToken,
}

/// The next connection with its permit; `None` once draining. The permit comes first: beyond the
/// bound, connections wait in the listen backlog.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    draining: &CancellationToken,
) -> Option<(OwnedSemaphorePermit, io::Result<(TcpStream, std::net::SocketAddr)>)> {
    let next = async {
        let permit = Arc::clone(permits).acquire_owned().await.ok()?;
        Some((permit, listener.accept().await))
    };
    draining.run_until_cancelled(next).await.flatten()
}

/// Holds the connection's place among the others for as long as it lives.
async fn held(permit: OwnedSemaphorePermit, serving: impl Future<Output = ()>) {
    let open = gauge!("doorbuster_http_connections");
    open.increment(1.0);
    serving.await;
    open.decrement(1.0);
    drop(permit);
}

async fn connection(
    stream: TcpStream,
    peer: IpAddr,
    edge: Arc<Edge>,
    header_timeout: Duration,
    ends: Ends,
) {
    let answers = service_fn(move |request: Request<Incoming>| {
        let edge = Arc::clone(&edge);
        async move { Ok::<_, Infallible>(edge.answer(request.map(Body::new), peer).await) }
    });
    // Answers are small and go out at once.
    let _ = stream.set_nodelay(true);
    let serving = http1::Builder::new()
        // Without a timer hyper silently drops the header timeout.
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answers)
        .with_upgrades();
    let mut serving = pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = ends.draining.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                served = serving => served,
                () = ends.cut.cancelled() => return,
            }
        }
    };
    if let Err(error) = served {
        debug!(%error, "a connection ended badly");
    }
}

/// A client that went away costs nothing; a system out of files needs a moment.
async fn pause(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        warn!(%error, "a connection could not be accepted");
        tokio::time::sleep(PAUSE).await;
    }
}
