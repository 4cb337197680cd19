//! The two families: every port behind real servers, or behind memory.

use std::sync::Arc;

use super::embedded::{
    EmbeddedBus, EmbeddedGate, EmbeddedIdempotencyMap, EmbeddedLedger, EmbeddedQueue,
    EmbeddedRates, EmbeddedRooms,
};
use super::payments::{SimulatedPayments, WebhookPayments};
use super::postgres::PostgresLedger;
use super::rabbitmq::{Broker, InvalidUrl, RabbitBus, RabbitQueue};
use super::redis::{RedisGate, RedisIdempotencyMap, RedisPool, RedisRates, RedisRooms};
use crate::config::{self, Config, PaymentProvider};
use crate::ports::{LedgerError, PaymentGateway, Ports, SystemClock};

/// Messages that the embedded queue holds; more are refused, as a full broker does.
const EMBEDDED_QUEUE_MAX: usize = 100_000;

/// An address in the configuration cannot be used. Nothing is connected at this point.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// Not a PostgreSQL URL.
    #[error("postgres.url: {0}")]
    Postgres(LedgerError),
    /// Not a Redis URL.
    #[error("redis.url: {0}")]
    Redis(String),
    /// Not an AMQP URL.
    #[error(transparent)]
    RabbitMq(#[from] InvalidUrl),
}

/// PostgreSQL, Redis and RabbitMQ. None of them need be up: whoever is away is waited for.
pub fn real(config: &Config) -> Result<Ports, WiringError> {
    let redis = RedisPool::new(&config.redis).map_err(|e| WiringError::Redis(e.to_string()))?;
    let redis = Arc::new(redis);
    let broker = Broker::new(&config.rabbitmq)?;
    let ledger = PostgresLedger::connect(&config.postgres).map_err(WiringError::Postgres)?;
    let ledger = Arc::new(ledger);
    Ok(Ports {
        queue: Arc::new(RabbitQueue::new(broker.clone())),
        gate: Arc::new(RedisGate::new(Arc::clone(&redis))),
        rates: Arc::new(RedisRates::new(Arc::clone(&redis))),
        rooms: Arc::new(RedisRooms::new(Arc::clone(&redis))),
        idempotency: Arc::new(RedisIdempotencyMap::new(redis)),
        identities: Arc::clone(&ledger) as _,
        room_book: Arc::clone(&ledger) as _,
        ledger,
        bus: Arc::new(RabbitBus::new(broker)),
        payments: payments(&config.payments),
        clock: Arc::new(SystemClock),
    })
}

/// Everything in memory: nothing installed, nothing that survives.
pub fn embedded() -> Ports {
    let clock = Arc::new(SystemClock);
    let ledger = Arc::new(EmbeddedLedger::new(clock.clone()));
    Ports {
        queue: Arc::new(EmbeddedQueue::new(EMBEDDED_QUEUE_MAX)),
        gate: Arc::new(EmbeddedGate::default()),
        rates: Arc::new(EmbeddedRates::default()),
        idempotency: Arc::new(EmbeddedIdempotencyMap::default()),
        identities: Arc::clone(&ledger) as _,
        rooms: Arc::new(EmbeddedRooms::default()),
        room_book: Arc::clone(&ledger) as _,
        ledger,
        bus: Arc::new(EmbeddedBus::new()),
        payments: Arc::new(SimulatedPayments),
        clock,
    }
}

/// The payment provider that is configured.
pub fn payments(config: &config::Payments) -> Arc<dyn PaymentGateway> {
    match config.provider {
        PaymentProvider::Simulated => Arc::new(SimulatedPayments),
        PaymentProvider::Webhook => Arc::new(WebhookPayments),
    }
}
