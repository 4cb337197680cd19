//! Push: what changes is told without being asked for.

mod purchases;
mod queue;
mod sales;
mod shutdown;
mod socket;
mod socket_bounds;
mod stock;
