//! Where the broker is and how to treat it; parsed once, shared by all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lapin::uri::AMQPUri;
use secrecy::ExposeSecret;
use tracing::info;

use crate::config;

/// The configured URL is no AMQP URL. The URL itself holds a password and is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("rabbitmq.url: expected amqp://USER:PASSWORD@HOST:PORT/VHOST ({0})")]
pub struct InvalidUrl(String);

/// A RabbitMQ broker. Making one does not reach for it.
#[derive(Clone)]
pub struct Broker(Arc<Settings>);

pub(super) struct Settings {
    pub(super) uri: AMQPUri,
    pub(super) confirm_timeout: Duration,
    pub(super) prefetch: u16,
    pub(super) reconnect_max: Duration,
    /// The user may make exchanges and queues, as far as is known.
    declares: AtomicBool,
}

impl Broker {
    /// Checks the URL; connects nowhere yet.
    pub fn new(config: &config::RabbitMq) -> Result<Self, InvalidUrl> {
        let mut uri: AMQPUri = config.url.expose_secret().parse().map_err(InvalidUrl)?;
        uri.query.heartbeat = Some(config.heartbeat_s);
        Ok(Self(Arc::new(Settings {
            uri,
            confirm_timeout: config.confirm_timeout,
            prefetch: config.prefetch,
            reconnect_max: config.reconnect_max,
            declares: AtomicBool::new(true),
        })))
    }

    /// Whether connections declare the topology, or only look whether it is there.
    pub(super) fn declares(&self) -> bool {
        self.0.declares.load(Ordering::Relaxed)
    }

    /// The user may not make anything.
    pub(super) fn only_look(&self) {
        if self.0.declares.swap(false, Ordering::Relaxed) {
            info!("the broker's user makes no exchanges and queues; those that are there are used");
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let authority = &self.0.uri.authority;
        write!(f, "Broker({}:{}/{})", authority.host, authority.port, self.0.uri.vhost)
    }
}
