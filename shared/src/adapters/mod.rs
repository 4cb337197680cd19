//! The technologies behind the ports. None knows another; none knows business rules.

pub mod embedded;
pub mod family;
pub mod payments;
pub mod postgres;
pub mod rabbitmq;
pub mod redis;
