//! One WebSocket: reads what the client asks for, tells what it watches, and never more than it takes.
//!
//! Reading and telling take turns in one task, so a client that takes nothing is not read from either, and
//! costs what the kernel keeps for it until it is cut.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use futures::stream::{self, StreamExt};
use serde_json::json;
use shared::domain::{ProductRef, TrackingId, UserId};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::Error as Broken;
use tracing::debug;

use super::allowance::Allowance;
use super::protocol::{self, QueueAsk, Reference, Refusal, Request};
use super::purchase::Follower;
use super::watches::{Topic, Watches};
use super::{Seat, queue, sale_status, stock};
use crate::identity::Access;
use crate::parse::{BUYERS, PlaceOf};
use crate::problem::Problem;
use crate::routes::waiting_room;
use crate::server::Place;
use crate::state::Shared;

/// The protocol's name in the handshake.
pub const PROTOCOL: &str = "doorbuster.v1";
/// A client has little to say.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Of a connection that is quiet most of the time. (The default is 128 KiB for each.)
const READ_BUFFER_BYTES: usize = 512;
/// Answers to pings that could not be sent yet.
const WRITE_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// A client that was told to close gets so long to do so.
const CLOSING_MAX: Duration = Duration::from_secs(2);
/// Pings in a row that a client may leave unanswered.
const UNANSWERED_MAX: u8 = 2;

/// Whose connection it is.
pub struct Client {
    /// Who.
    pub access: Access,
    /// Among those who are told.
    pub seat: Seat,
    /// Among the connections.
    pub place: Option<Place>,
}

/// Answers the handshake; the connection is then `client`'s.
pub fn open(upgrade: WebSocketUpgrade, app: Shared, client: Client) -> axum::response::Response {
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_failed_upgrade(|error| debug!(%error, "no WebSocket came about"))
        .on_upgrade(|socket| serve(socket, app, client))
}

async fn serve(mut socket: WebSocket, app: Shared, client: Client) {
    let cut = client.place.as_ref().map(Place::cut).unwrap_or_default();
    let draining = app.live.draining.clone();
    let mut talk = Talk::new(app, client.access, &client.seat);
    let end = tokio::select! {
        end = talk.run(&mut socket) => end,
        () = draining.cancelled() => End::Close(close_code::AWAY, "the server is going away"),
        () = cut.cancelled() => End::Gone,
    };
    drop(talk);
    tokio::select! {
        _ = timeout(CLOSING_MAX, close(&mut socket, end)) => {}
        () = cut.cancelled() => {}
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// We close it.
    Close(u16, &'static str),
    /// The client closes it.
    Closed,
    /// There is nobody any more.
    Gone,
}

/// Says why, where there is somebody to hear it, and waits until they have.
async fn close(socket: &mut WebSocket, end: End) {
    match end {
        End::Gone => return,
        End::Closed => {}
        End::Close(code, reason) => {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            if socket.send(Message::Close(Some(frame))).await.is_err() {
                return;
            }
        }
    }
    while let Some(Ok(_)) = socket.recv().await {}
}

/// What is said on one connection.
struct Talk<'a> {
    app: Shared,
    access: Access,
    seat: &'a Seat,
    watches: Watches,
    heartbeat: Interval,
    unanswered: u8,
    /// Messages that the client may send.
    messages: Allowance,
    /// Of them, those with which something may be wrong.
    faults: Allowance,
}

impl<'a> Talk<'a> {
    fn new(app: Shared, access: Access, seat: &'a Seat) -> Self {
        let period = app.live.heartbeat;
        let mut heartbeat = interval_at(Instant::now() + period, period);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            app,
            access,
            seat,
            watches: Watches::default(),
            heartbeat,
            unanswered: 0,
            messages: Allowance::messages(),
            faults: Allowance::faults(),
        }
    }

    async fn run(&mut self, socket: &mut WebSocket) -> End {
        let patience = self.app.http.write_timeout;
        loop {
            let said = tokio::select! {
                heard = socket.recv() => match self.hear(heard).await {
                    Ok(Some(answer)) => Message::Text(answer),
                    Ok(None) => continue,
                    Err(end) => return end,
                },
                news = self.watches.next() => {
                    self.seat.pushed();
                    Message::Text(news)
                }
                _ = self.heartbeat.tick() => {
                    if self.unanswered == UNANSWERED_MAX {
                        return End::Gone;
                    }
                    self.unanswered += 1;
                    Message::Ping(Bytes::new())
                }
            };
            if !matches!(timeout(patience, socket.send(said)).await, Ok(Ok(()))) {
                return End::Gone;
            }
        }
    }

    /// What the client is answered, if anything.
    async fn hear(
        &mut self,
        heard: Option<Result<Message, axum::Error>>,
    ) -> Result<Option<Utf8Bytes>, End> {
        let message = match heard {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(broken(error)),
            None => return Err(End::Gone),
        };
        self.unanswered = 0;
        let spared = self.messages.take();
        let (reference, done) = match message {
            Message::Close(_) => return Err(End::Closed),
            Message::Ping(_) | Message::Pong(_) if spared => return Ok(None),
            Message::Text(text) if spared => {
                let (reference, request) = protocol::read(&text);
                match request {
                    // Boxed: what it takes is needed now and then, and the task is there all the time.
                    Ok(request) => {
                        (reference.clone(), Box::pin(self.answer(request, reference)).await)
                    }
                    Err(refusal) => (reference, Err(refusal)),
                }
            }
            Message::Binary(_) if spared => {
                (None, Err(Refusal::new("INVALID_REQUEST", "Messages are JSON texts.")))
            }
            _ => {
                (None, Err(Refusal::new("RATE_LIMITED", "Too many messages in too short a time.")))
            }
        };
        match done {
            Ok(answer) => Ok(answer),
            Err(_) if !self.faults.take() => {
                Err(End::Close(close_code::POLICY, "too much of what was sent could not be done"))
            }
            Err(refusal) => Ok(Some(protocol::error(&refusal, reference.as_ref()))),
        }
    }

    /// Does what was asked for. What is watched from now on answers by itself.
    async fn answer(
        &mut self,
        request: Request,
        reference: Option<Reference>,
    ) -> Result<Option<Utf8Bytes>, Refusal> {
        match request {
            Request::WatchInventory(product) => {
                self.watch_inventory(&product, reference.as_ref()).await?;
                Ok(None)
            }
            Request::WatchPurchase(id) => {
                self.watch_purchase(id, reference).await?;
                Ok(None)
            }
            Request::Join(ask) => {
                self.join(ask, reference).await?;
                Ok(None)
            }
            Request::Leave(ask) => self.leave(ask, reference).await,
            Request::UnwatchInventory(product) => {
                let id = self.app.product(&product).await?.id;
                self.watches.remove(Topic::Inventory(id));
                let data = json!({ "productId": id });
                Ok(Some(protocol::event("inventory:unwatched", &data, reference.as_ref())))
            }
            Request::UnwatchPurchase(id) => {
                self.watches.remove(Topic::Purchase(id));
                let data = json!({ "trackingId": id });
                Ok(Some(protocol::event("purchase:unwatched", &data, reference.as_ref())))
            }
        }
    }

    /// Joins a line, or comes back to a place in it, and watches it from now on.
    async fn join(&mut self, ask: QueueAsk, reference: Option<Reference>) -> Result<(), Refusal> {
        let ticket = match ask {
            QueueAsk::Ticket(text) => waiting_room::open(&self.app, &self.access, &text)?,
            QueueAsk::User(line, user) => {
                let user = self.buyer(user)?;
                let sale = waiting_room::sale_of(&self.app, &line).await?;
                self.app.waiting_rooms.join(&sale, &user).await.map_err(Problem::from)?
            }
        };
        let topic = Topic::Queue(ticket.sale_id);
        self.room(topic)?;
        let follower = queue::Follower::new(&self.app, ticket)?;
        self.watches.add(topic, follower.messages(reference));
        Ok(())
    }

    async fn leave(
        &mut self,
        ask: QueueAsk,
        reference: Option<Reference>,
    ) -> Result<Option<Utf8Bytes>, Refusal> {
        let ticket = match ask {
            QueueAsk::Ticket(text) => waiting_room::open(&self.app, &self.access, &text)?,
            QueueAsk::User(line, user) => {
                let user = self.buyer(user)?;
                let sale = waiting_room::sale_of(&self.app, &line).await?;
                waiting_room::ticket_of(&self.app, PlaceOf::User(sale.id, user)).await?
            }
        };
        self.watches.remove(Topic::Queue(ticket.sale_id));
        let left = waiting_room::give_up(&self.app, ticket).await?;
        Ok(Some(protocol::event("queue:position-update", &left, reference.as_ref())))
    }

    fn buyer(&self, named: Option<UserId>) -> Result<UserId, Refusal> {
        self.app.gatekeeper.check(BUYERS, &self.access.caller)?;
        let missing = || Refusal::new("INVALID_REQUEST", "userId: is missing");
        self.access.buyer(named)?.ok_or_else(missing)
    }

    async fn watch_inventory(
        &mut self,
        product: &ProductRef,
        reference: Option<&Reference>,
    ) -> Result<(), Refusal> {
        let product = self.app.product(product).await?.id;
        self.room(Topic::Inventory(product))?;
        let seen = self.app.levels.of(product).await.map_err(Problem::from)?;
        let (boards, clock) = (&self.app.boards, &self.app.clock);
        let first = stock::first_message(boards, clock, seen, reference);
        let sales = sale_status::now(boards, clock, product);
        let firsts: Vec<_> = first.into_iter().chain(sales.first()).collect();
        let live = &self.app.live;
        let stock = stock::newer(live.stock.watch(&product), seen.level.version);
        let stock = stock.map(|news| news.message.clone());
        let sales = sale_status::newer(live.sales.watch(&product), Arc::new(sales));
        let news = stream::select(stock.boxed(), sales.boxed());
        self.watches.add(Topic::Inventory(product), stream::iter(firsts).chain(news));
        Ok(())
    }

    async fn watch_purchase(
        &mut self,
        id: TrackingId,
        reference: Option<Reference>,
    ) -> Result<(), Refusal> {
        self.room(Topic::Purchase(id))?;
        let follower = Follower::start(&self.app, self.access.clone(), id).await;
        let follower = follower.map_err(Problem::from)?;
        self.watches.add(Topic::Purchase(id), follower.messages(reference));
        Ok(())
    }

    fn room(&self, topic: Topic) -> Result<(), Refusal> {
        let max = self.app.live.watches_max;
        if self.watches.len() < max || self.watches.has(topic) {
            return Ok(());
        }
        let message = format!("A connection watches at most {max} things. Unwatch one first.");
        Err(Refusal::new("TOO_MANY_WATCHES", message))
    }
}

/// What a client is told whose connection cannot be read any further (RFC 6455, section 7.4.1).
fn broken(error: axum::Error) -> End {
    debug!(%error, "a WebSocket broke");
    match error.into_inner().downcast_ref::<Broken>() {
        Some(Broken::Capacity(_)) => End::Close(close_code::SIZE, "the message is too large"),
        Some(Broken::Utf8(_)) => End::Close(close_code::INVALID, "the text is not UTF-8"),
        Some(Broken::Protocol(_)) => End::Close(close_code::PROTOCOL, "not as RFC 6455 says"),
        _ => End::Gone,
    }
}
