//! RabbitMQ: the durable queue behind every 202, and the fanouts to the API instances.
//!
//! | file | idea |
//! |---|---|
//! | [`topology`] | exchanges, queues and bindings as one table, declared idempotently |
//! | `connection` | one AMQP connection that can always be hung up |
//! | `backoff` | pauses between attempts |
//! | `message` | what is published, with its properties |
//! | `outcomes` | how orders travel on their fanout |
//! | `in_flight` | publishes waiting for their confirms, matched with what was returned |
//! | `failure` | why a publish was not confirmed |
//! | `supervisor` | connect → topology → publish; on an error drop everything and start over |
//! | `publisher` | the callers' end of that task |
//! | `consumer` | deliveries, acknowledged on their own channel |
//! | `control` | status, and sifting the dead-letter queue |
//! | [`queue`] | the [`PurchaseQueue`](crate::ports::PurchaseQueue) port |
//! | [`bus`], `subscription` | the [`EventBus`](crate::ports::EventBus) port |
//!
//! Publishing, consuming and looking each have their own connection: one that the broker blocks
//! stops all writes on it, acks too. lapin's own recovery is off.

mod backoff;
pub mod broker;
pub mod bus;
mod connection;
mod consumer;
mod control;
mod failure;
mod in_flight;
mod message;
mod outcomes;
mod publisher;
pub mod queue;
mod subscription;
mod supervisor;
pub mod topology;

pub use broker::{Broker, InvalidUrl};
pub use bus::RabbitBus;
pub use queue::RabbitQueue;
