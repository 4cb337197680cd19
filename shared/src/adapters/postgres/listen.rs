//! The way in for the [`Tap`]: tokio-postgres hands us each new socket as if for TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tap::{LastError, Tap};

/// Puts a [`Tap`] on every connection, under TLS or not.
#[derive(Clone)]
pub(super) struct Listening {
    pub(super) tls: Option<MakeRustlsConnect>,
    pub(super) last_error: LastError,
}

pub(super) struct ListeningConnect {
    tls: Option<<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect>,
    last_error: LastError,
}

type Tls = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl MakeTlsConnect<Socket> for Listening {
    type Stream = Tap<Transport>;
    type TlsConnect = ListeningConnect;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<ListeningConnect, Self::Error> {
        let connect = |tls: &mut MakeRustlsConnect| {
            <MakeRustlsConnect as MakeTlsConnect<Socket>>::make_tls_connect(tls, host)
        };
        let tls = self.tls.as_mut().map(connect).transpose()?;
        Ok(ListeningConnect { tls, last_error: self.last_error.clone() })
    }
}

impl TlsConnect<Socket> for ListeningConnect {
    type Stream = Tap<Transport>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Stream, BoxError>>;

    fn connect(self, mut socket: Socket) -> Self::Future {
        Box::pin(async move {
            let transport = match self.tls {
                None => Transport::Plain(socket),
                Some(tls) => {
                    // SSLRequest: length 8, code 80877103. "S" says yes.
                    socket.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
                    if socket.read_u8().await? != b'S' {
                        return Err("the server does not support TLS".into());
                    }
                    Transport::Tls(Box::new(tls.connect(socket).await?))
                }
            };
            Ok(Tap::new(transport, self.last_error))
        })
    }
}

/// What the server's bytes come through.
pub(super) enum Transport {
    Plain(Socket),
    Tls(Box<Tls>),
}

impl TlsStream for Tap<Transport> {
    fn channel_binding(&self) -> ChannelBinding {
        match self.get_ref() {
            Transport::Plain(_) => ChannelBinding::none(),
            Transport::Tls(stream) => stream.channel_binding(),
        }
    }
}

/// Calls the same method of whichever stream there is.
macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Plain($stream) => $call,
            Transport::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
