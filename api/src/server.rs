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
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::cors::Front;

/// Memory for the headers of one connection; more are answered 431. Bounds what 20,000 connections
/// can cost.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// A client must have ended its TLS handshake within this time.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Pause after the system could not give us a connection, such as when it is out of files.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `front` until `draining`; then open requests get `http.shutdown_timeout` to finish.
pub async fn serve(
    listener: TcpListener,
    front: Front,
    tls: Option<TlsAcceptor>,
    http: &Http,
    draining: CancellationToken,
) {
    let hall = Arc::new(Hall { front, tls, header_timeout: http.header_timeout });
    let permits = Arc::new(Semaphore::new(http.connections_max.get()));
    let open = TaskTracker::new();
    // Ends what is still open when the time for draining is up.
    let cut = CancellationToken::new();
    let ends = Ends { draining, cut: cut.clone() };
    while let Some((permit, accepted)) = next(&listener, &permits, &ends.draining).await {
        match accepted {
            Ok((stream, peer)) => {
                tune(&stream, http.write_timeout);
                let serving = connection(stream, peer.ip(), Arc::clone(&hall), ends.clone());
                open.spawn(held(permit, serving));
            }
            Err(error) => pause(&error).await,
        }
    }
    drop((listener, hall));
    open.close();
    info!(connections = open.len(), "no new connections; finishing open requests");
    if tokio::time::timeout(http.shutdown_timeout, open.wait()).await.is_err() {
        warn!("some requests did not finish in time and are cut off");
        cut.cancel();
        open.wait().await;
    }
}

/// What all connections share.
struct Hall {
    front: Front,
    tls: Option<TlsAcceptor>,
    header_timeout: Duration,
}

/// Answers are small and go out at once; a client that takes none of one for too long is cut by the kernel
/// (RFC 5482, also while its window is shut).
fn tune(stream: &TcpStream, write_timeout: Duration) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(write_timeout));
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

async fn connection(stream: TcpStream, peer: IpAddr, hall: Arc<Hall>, ends: Ends) {
    let Some(tls) = &hall.tls else { return serve_http(stream, peer, &hall, ends).await };
    match tokio::time::timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_http(stream, peer, &hall, ends).await,
        Ok(Err(error)) => debug!(%error, "no TLS connection came about"),
        Err(_) => debug!("a TLS handshake took too long"),
    }
}

async fn serve_http<S>(stream: S, peer: IpAddr, hall: &Arc<Hall>, ends: Ends)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = Arc::clone(hall);
    let answers = service_fn(move |request: Request<Incoming>| {
        let hall = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(hall.front.answer(request.map(Body::new), peer).await) }
    });
    let serving = http1::Builder::new()
        // Without a timer hyper silently drops the header timeout.
        .timer(TokioTimer::new())
        .header_read_timeout(hall.header_timeout)
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
