//! The technologies behind the ports. None knows another; none knows business rules.

pub mod embedded;
pub mod rabbitmq;
pub mod redis;
