//! The API on a free port over embedded adapters, clients, and a worker that can be left out.

mod app;
mod client;
mod live;
mod rooms_away;
mod switches;

pub(crate) use app::{API_KEY, TestApp, buy_body, product};
pub(crate) use client::{Answer, send};
pub(crate) use live::{Events, Socket};
pub(crate) use switches::{Switches, turn};
