//! The HTTP contract, through a real socket, over embedded adapters.

mod async_purchase;
mod bad_input;
mod contract;
mod operations;
mod operators;
mod outages;
mod problems;
mod products;
mod server;
mod support;
mod sync_purchase;
mod tracking;
