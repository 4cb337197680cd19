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
use hyper::header;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use metrics::gauge;
use shared::config::Http;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{debug, info, warn};

use crate::cors::Front;
use crate::patience::Patience;

/// Memory for the headers of one connection; more are answered 431. Bounds what 20,000 connections
/// can cost.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// A client must have ended its TLS handshake within this time.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Connections that are open.
const OPEN: &str = "doorbuster_http_connections";
/// What may wait in the kernel for a client to take it, in bytes: what is pushed to one that reads slowly is
/// the newest, not what it did not read a minute ago.
const UNSENT_BYTES: u32 = 16 * 1024;
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
                let place = Place::take(permit, &open, ends.clone());
                tokio::spawn(connection(stream, peer.ip(), Arc::clone(&hall), place));
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
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_user_timeout(Some(write_timeout));
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES);
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

/// A connection's place among the others. Whoever takes the connection over (an upgrade) takes it along:
/// it counts, and a shutdown waits for it, as long as anybody has it.
#[derive(Clone)]
pub struct Place(Arc<Held>);

struct Held {
    ends: Ends,
    _permit: OwnedSemaphorePermit,
    _open: TaskTrackerToken,
}

impl Place {
    fn take(permit: OwnedSemaphorePermit, open: &TaskTracker, ends: Ends) -> Self {
        gauge!(OPEN).increment(1.0);
        Self(Arc::new(Held { ends, _permit: permit, _open: open.token() }))
    }

    /// Cancelled when the time for draining is up.
    pub fn cut(&self) -> CancellationToken {
        self.0.ends.cut.clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        gauge!(OPEN).decrement(1.0);
    }
}

async fn connection(stream: TcpStream, peer: IpAddr, hall: Arc<Hall>, place: Place) {
    let Some(tls) = &hall.tls else { return serve_http(stream, peer, &hall, place).await };
    match tokio::time::timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_http(stream, peer, &hall, place).await,
        Ok(Err(error)) => debug!(%error, "no TLS connection came about"),
        Err(_) => debug!("a TLS handshake took too long"),
    }
}

async fn serve_http<S>(stream: S, peer: IpAddr, hall: &Hall, place: Place)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let cut = place.cut();
    // Looked at with every wake-up: its clones share their locks, its children have their own.
    let draining = place.0.ends.draining.child_token();
    let answers = service_fn(move |mut request: Request<Incoming>| {
        if request.headers().contains_key(header::UPGRADE) {
            request.extensions_mut().insert(place.clone());
        }
        async move { Ok::<_, Infallible>(hall.front.answer(request.map(Body::new), peer).await) }
    });
    let serving = http1::Builder::new()
        // Without a timer hyper silently drops the header timeout.
        .timer(Patience::default())
        .header_read_timeout(hall.header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answers)
        .with_upgrades();
    let mut serving = pin!(serving);
    let served = tokio::select! {
        biased;
        served = serving.as_mut() => served,
        () = draining.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                served = serving => served,
                () = cut.cancelled() => return,
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
