//! Push: what changes is told to those who watch it, without their asking.
//!
//! ```text
//! fanouts ─▶ boards ─▶ source ─▶ hub ─▶ group ─▶ a client's connection (SSE, WebSocket)
//!                      renders   one per           takes the newest when
//!                      once      thing watched     it has room for it
//! ```
//!
//! | file | what |
//! |---|---|
//! | `hub`, `pace` | tell all who watch a thing what is new, the newest only, at a common pace |
//! | `stock`, `sale_status` | what is told of a product: made from the boards, rendered once for all |
//! | `purchase` | a purchase that one client follows, until nothing more is expected |
//! | `queue` | a place in the line of a sale: its owner's, from a state that is everybody's |
//! | `sse` | a stream of events over HTTP: heartbeats, its end |
//! | `protocol` | the messages of the WebSocket |
//! | `watches` | what one WebSocket watches |
//! | `socket`, `allowance` | the WebSocket: reads, within bounds, tells, pings, closes |
//! | `origin` | which pages may open one |
//!
//! Clients cost memory and a share of the pace: everything comes from the boards. The ledger is read, for all who wait
//! at once, only where a board has nothing: for a purchase whose outcome is not on it, for stock that is stale.

mod allowance;
mod hub;
pub mod origin;
mod pace;
mod protocol;
pub mod purchase;
pub mod queue;
mod sale_status;
pub mod socket;
pub mod sse;
pub mod stock;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, counter, gauge};
use shared::boards::Boards;
use shared::config;
use shared::domain::{ProductId, SaleId};
use shared::pipeline::waiting_room::{RoomState, WaitingRooms};
use shared::ports::LedgerClock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub use self::hub::{Hubs, Key, State, Watching};
pub use self::pace::Pace;
use self::sale_status::SalesNews;
use self::stock::StockNews;
use crate::problem::{Problem, kind};

/// What all pushing shares.
pub struct Live {
    /// Stock by product.
    pub stock: Hubs<ProductId, Arc<StockNews>>,
    /// Where the sales of a product stand.
    pub sales: Hubs<ProductId, Arc<SalesNews>>,
    /// The lines in front of sales.
    pub lines: Hubs<SaleId, RoomState>,
    /// The pace of every hub: give it to further ones.
    pub pace: Arc<Pace>,
    /// How often clients are shown that the connection lives.
    pub heartbeat: Duration,
    /// What one WebSocket may watch.
    pub watches_max: usize,
    /// Set when the program is asked to stop.
    pub draining: CancellationToken,
    seats: Arc<Semaphore>,
}

impl Live {
    /// Pushes what these boards show.
    pub fn new(
        live: &config::Live,
        boards: &Arc<Boards>,
        clock: &Arc<LedgerClock>,
        rooms: &WaitingRooms,
        draining: CancellationToken,
    ) -> Self {
        let pace = Arc::new(Pace::new(live));
        Self {
            stock: Hubs::new(Arc::clone(&pace), stock::source(boards, clock)),
            sales: Hubs::new(Arc::clone(&pace), sale_status::source(boards, clock)),
            lines: Hubs::new(Arc::clone(&pace), queue::source(rooms)),
            pace,
            heartbeat: live.heartbeat,
            watches_max: live.watches_max.get(),
            draining,
            seats: Arc::new(Semaphore::new(live.connections_max.get())),
        }
    }

    /// A place for one more client.
    pub fn seat(&self, kind: Kind) -> Result<Seat, Problem> {
        let permit = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| {
            Problem::new(kind::OVERLOADED, "Too many clients are being told of changes.")
        })?;
        Ok(Seat::new(kind, permit))
    }
}

/// How a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of a purchase, by SSE.
    Purchase,
    /// Of stock, by SSE.
    Stock,
    /// Of a place in line, by SSE.
    Queue,
    /// By WebSocket.
    Socket,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase_sse",
            Self::Stock => "stock_sse",
            Self::Queue => "queue_sse",
            Self::Socket => "websocket",
        }
    }
}

/// A client's place among those who are told, for as long as it lives.
pub struct Seat {
    connections: Gauge,
    frames: Counter,
    _permit: OwnedSemaphorePermit,
}

impl Seat {
    fn new(kind: Kind, permit: OwnedSemaphorePermit) -> Self {
        let connections = gauge!("doorbuster_live_connections", "kind" => kind.as_str());
        connections.increment(1.0);
        let frames = counter!("doorbuster_live_frames_total", "kind" => kind.as_str());
        Self { connections, frames, _permit: permit }
    }

    /// Counts a frame that was pushed.
    fn pushed(&self) {
        self.frames.increment(1);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.decrement(1.0);
    }
}
