//! One AMQP connection that can always be hung up.
//!
//! lapin closes a connection by writing to it. One that is blocked or whose peer is paused cannot
//! be written to, and its thread and socket would stay for as long as that lasts, with the broker
//! still counting our deliveries as in hand. So we keep a second handle of the socket.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_rs::TokioRuntime;
use futures::Stream;
use lapin::tcp::{AsyncTcpStream, TLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, Connection, ConnectionProperties, ConnectionStatus, ErrorKind, Event};
use tokio::time::timeout;

use super::broker::Broker;
use super::topology;
use crate::ports::{BusError, QueueError};

/// For TCP, TLS, the handshake and the topology together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a polite goodbye, before the socket is shut.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why there is no connection, or no answer on it.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error(transparent)]
    Broker(#[from] lapin::Error),
}

impl From<LinkError> for QueueError {
    fn from(error: LinkError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<LinkError> for BusError {
    fn from(error: LinkError) -> Self {
        Self(error.to_string())
    }
}

/// An open connection. Dropping it closes it in the background; the broker takes back whatever
/// was in hand.
pub(super) struct Link(Option<Open>);

struct Open {
    connection: Connection,
    socket: Arc<Socket>,
}

/// The user may not do it (AMQP 0-9-1, 403).
fn is_access_refused(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == 403)
}

/// Our handle of the socket below lapin; shuts it when dropped.
#[derive(Default)]
struct Socket(OnceLock<TcpStream>);

impl Link {
    /// Connects, opens a channel and declares the topology on it. `purpose` is how operators tell our
    /// connections apart in the management UI. A user who may not make anything uses what others have made:
    /// with what arguments, only its maker is told.
    pub(super) async fn open(broker: &Broker, purpose: &str) -> Result<(Self, Channel), LinkError> {
        let declares = broker.declares();
        match Self::open_once(broker, purpose, declares).await {
            Err(LinkError::Broker(error)) if declares && is_access_refused(&error) => {
                broker.only_look();
                Self::open_once(broker, purpose, false).await
            }
            opened => opened,
        }
    }

    async fn open_once(
        broker: &Broker,
        purpose: &str,
        declares: bool,
    ) -> Result<(Self, Channel), LinkError> {
        let socket = Arc::new(Socket::default());
        let attempt = async {
            let connection = dial(broker, purpose, socket.clone()).await?;
            let channel = connection.create_channel().await?;
            if declares {
                topology::declare(&channel).await?;
            } else {
                topology::look(&channel).await?;
            }
            Ok((connection, channel))
        };
        match timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(Ok((connection, channel))) => Ok((Self(Some(Open { connection, socket })), channel)),
            Ok(Err(error)) => Err(LinkError::Broker(error)),
            // lapin's thread would wait for the handshake for ever: end it with the socket.
            Err(_) => {
                socket.hang_up();
                Err(LinkError::Timeout(CONNECT_TIMEOUT))
            }
        }
    }

    /// Another channel.
    pub(super) async fn channel(&self) -> Result<Channel, LinkError> {
        match &self.0 {
            Some(open) => Ok(open.connection.create_channel().await?),
            None => Err(LinkError::Timeout(Duration::ZERO)),
        }
    }

    /// Whether it is connected and whether the broker blocks it, as of any moment.
    pub(super) fn status(&self) -> ConnectionStatus {
        self.0.as_ref().map(|open| open.connection.status().clone()).unwrap_or_default()
    }

    /// What happens to it.
    pub(super) fn events(&self) -> impl Stream<Item = Event> + Send + use<'_> {
        use futures::StreamExt;
        self.0.as_ref().map_or_else(
            || futures::stream::empty().left_stream(),
            |open| open.connection.events_listener().right_stream(),
        )
    }

    /// Says goodbye, and hangs up when that is not answered soon.
    pub(super) async fn close(mut self) {
        if let Some(open) = self.0.take() {
            open.close().await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Without a runtime there is nobody to say goodbye; dropping hangs up at once.
        if let (Some(open), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(open.close());
        }
    }
}

impl Open {
    async fn close(self) {
        // An error only says that it is closed already.
        let _ = timeout(CLOSE_TIMEOUT, self.connection.close(200, "goodbye".into())).await;
        self.socket.hang_up();
    }
}

impl Socket {
    fn hang_up(&self) {
        if let Some(socket) = self.0.get() {
            // An error only says that it is shut already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.hang_up();
    }
}

async fn dial(
    broker: &Broker,
    purpose: &str,
    socket: Arc<Socket>,
) -> Result<Connection, lapin::Error> {
    let name = format!("doorbuster {purpose} (pid {})", std::process::id());
    // lapin's recovery stays off: a supervisor that starts over is simpler to reason about.
    let properties = ConnectionProperties::default()
        .with_connection_name(name.into())
        .with_client_property("product".into(), "Doorbuster".into())
        .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
    let connect = async move |uri: AMQPUri, runtime: TokioRuntime| {
        let host = uri.authority.host.trim_matches(['[', ']']);
        let found = tokio::net::lookup_host((host, uri.authority.port)).await?;
        let addresses: Vec<SocketAddr> = found.collect();
        let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
        if let AsyncTcpStream::Plain(plain) = &stream {
            let handle = plain.get_ref().as_fd().try_clone_to_owned()?;
            let _ = socket.0.set(handle.into()); // Called once: there are no retries.
        }
        match uri.scheme {
            AMQPScheme::AMQP => Ok(stream),
            AMQPScheme::AMQPS => Ok(stream.into_tls(host, TLSConfig::default()).await?),
        }
    };
    let runtime = lapin::runtime::default_runtime()?;
    Connection::connector(broker.settings().uri.clone(), runtime, connect, properties).await
}
