//! The routes: one file per action of a client.

pub mod async_purchase;
pub mod audit_log;
pub mod auth;
pub mod buy;
mod conclude;
pub mod dead_letters;
pub mod docs;
pub mod health;
pub mod live;
pub mod operators;
pub mod orders;
pub mod page;
pub mod payments;
pub mod planning;
pub mod products;
pub mod purchases;
pub mod queue;
mod refusal;
pub mod reservations;
pub mod sales;
pub mod stock;
pub mod sync_purchase;
pub mod waiting_room;
