//! The technologies behind the ports: each its own, none knows another.

pub mod embedded;
pub mod rabbitmq;
