//! A TCP proxy in front of the broker that can hold everything back, or speak for the broker.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used)] // A panic is how a test fails.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

/// `connection.blocked` (class 10, method 60) and `connection.unblocked` (method 61) on channel 0.
const BLOCKED: &[u8] = b"\x01\0\0\0\0\0\x09\0\x0a\0\x3c\x04test\xce";
const UNBLOCKED: &[u8] = b"\x01\0\0\0\0\0\x04\0\x0a\0\x3d\xce";

/// Forwards connections to the broker of an AMQP URL until dropped.
pub struct Proxy {
    url: String,
    paused: watch::Sender<bool>,
    injected: broadcast::Sender<&'static [u8]>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A proxy to the broker at `url`.
    pub async fn start(url: &str) -> Self {
        let (credentials, rest) = url.rsplit_once('@').unwrap();
        let (broker, vhost) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{credentials}@{}/{vhost}", listener.local_addr().unwrap());
        let (paused, injected) = (watch::Sender::new(false), broadcast::Sender::new(16));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, broker.to_owned(), paused.clone(), injected.clone()));
        Self { url, paused, injected, _tasks: tasks }
    }

    /// The AMQP URL of the proxy.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Holds back everything in both directions, or lets it flow again.
    pub fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    /// Tells the open connections that the broker blocks publishers, or no longer does.
    pub fn block(&self, blocked: bool) {
        self.injected.send(if blocked { BLOCKED } else { UNBLOCKED }).unwrap();
    }
}

type Paused = watch::Sender<bool>;

async fn accept(
    listener: TcpListener,
    broker: String,
    paused: Paused,
    injected: broadcast::Sender<&'static [u8]>,
) {
    let mut pairs = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(&broker).await.unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (paused, injected) = (paused.clone(), injected.subscribe());
        pairs.spawn(async move {
            // When one side ends, dropping the other ends it too.
            tokio::select! {
                () = forward(from_client, to_server, paused.subscribe()) => {}
                () = forward_frames(from_server, to_client, paused.subscribe(), injected) => {}
            }
        });
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut paused: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        paused.wait_for(|paused| !paused).await.unwrap();
        if to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
    }
}

/// Frame by frame, so that an injected frame comes between two others.
async fn forward_frames(
    mut from: OwnedReadHalf,
    to: OwnedWriteHalf,
    mut paused: watch::Receiver<bool>,
    mut injected: broadcast::Receiver<&'static [u8]>,
) {
    let to = Arc::new(tokio::sync::Mutex::new(to));
    let speaker = to.clone();
    let speak = async move {
        while let Ok(frame) = injected.recv().await {
            if speaker.lock().await.write_all(frame).await.is_err() {
                return;
            }
        }
    };
    let listen = async move {
        while let Ok(frame) = frame(&mut from).await {
            paused.wait_for(|paused| !paused).await.unwrap();
            if to.lock().await.write_all(&frame).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = speak => {} () = listen => {} }
}

/// Type, channel, size; the payload; the end mark.
async fn frame(from: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; 7];
    from.read_exact(&mut frame).await?;
    let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]) as usize;
    frame.resize(7 + size + 1, 0);
    from.read_exact(&mut frame[7..]).await?;
    Ok(frame)
}
