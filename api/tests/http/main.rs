//! The HTTP contract, through a real socket, over embedded adapters.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A panic is how a test fails.

mod access;
mod async_purchase;
mod bad_input;
mod browsers;
mod challenge;
mod contract;
mod dead_letters;
mod identity;
mod issuer;
mod limits;
mod live;
mod operations;
mod operators;
mod orders;
mod outages;
mod overload;
mod page;
mod problems;
mod products;
mod sales;
mod selling_in_sales;
mod server;
mod support;
mod sync_purchase;
mod tls;
mod tracking;
mod waiting_room;
