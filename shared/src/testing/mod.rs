//! Helpers for the tests of every room.

pub mod rabbitmq;
mod wait;

pub use wait::eventually;
