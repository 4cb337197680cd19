//! A wire between a program and a server that can be cut, slow, or dead without a word.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How a wire behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// Everything passes.
    Open,
    /// Every packet is late.
    Slow(Duration),
    /// Connections stay, and nothing passes: neither side knows.
    Silent,
    /// Connections break, and there are no new ones.
    Cut,
}

#[derive(Debug, Clone, Copy)]
struct State {
    wire: Wire,
    server: SocketAddr,
}

/// Forwards connections until dropped.
pub(super) struct Link {
    addr: SocketAddr,
    state: watch::Sender<State>,
    _accepting: JoinSet<()>,
}

impl Link {
    /// A wire to `server`.
    pub(super) async fn to(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let state = watch::Sender::new(State { wire: Wire::Open, server });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, state.subscribe()));
        Ok(Self { addr, state, _accepting: accepting })
    }

    /// Where programs connect to.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Behaves like this from now on.
    pub(super) fn set(&self, wire: Wire) {
        self.state.send_modify(|state| state.wire = wire);
    }

    /// Leads to another server from now on; old connections break.
    pub(super) fn lead_to(&self, server: SocketAddr) {
        self.state.send_modify(|state| state.server = server);
    }
}

async fn accept(listener: TcpListener, state: watch::Receiver<State>) {
    let mut pairs = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                pairs.spawn(carry(client, state.clone()));
            }
            Some(_) = pairs.join_next() => {}
        }
    }
}

/// One connection; it ends when either side ends it, or the wire is cut or led elsewhere.
async fn carry(client: TcpStream, mut state: watch::Receiver<State>) {
    let server = state.borrow().server;
    let forwarding = state.clone();
    let cut = async {
        let gone = |state: &State| state.wire == Wire::Cut || state.server != server;
        let _ = state.wait_for(gone).await;
    };
    let both = async {
        let Ok(server) = TcpStream::connect(server).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = forward(from_client, to_server, forwarding.clone()) => {}
            () = forward(from_server, to_client, forwarding) => {}
        }
    };
    tokio::select! { () = cut => {} () = both => {} }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        let Ok(now) = state.wait_for(|state| state.wire != Wire::Silent).await.map(|now| *now)
        else {
            return;
        };
        if let Wire::Slow(late) = now.wire {
            sleep(late).await;
        }
        if to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
    }
}
