//! A place in line that its owner watches.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use shared::domain::SaleId;
use shared::domain::room::Ticket;
use shared::pipeline::waiting_room::{Place, RoomState, Stage, WaitingRooms};
use shared::ports::Clock;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::protocol::{self, Reference};
use super::{Watching, sse};
use crate::routes::waiting_room::{has_room, view_in};
use crate::state::Shared;
use crate::views::PlaceView;

/// The ID of the last event of a stream.
pub const OVER: &str = "over";
/// Who cannot be asked now is asked again after this time.
const AGAIN: Duration = Duration::from_secs(1);
/// The owner of a place is heard of so many times within the patience of the line.
const HEARD_PER_PATIENCE: u32 = 3;

/// Gives the state of a line whenever it changes for those who wait.
pub(super) fn source(
    rooms: &WaitingRooms,
) -> impl Fn(&SaleId) -> BoxStream<'static, RoomState> + Send + Sync + 'static {
    let rooms = rooms.clone();
    move |&sale| {
        let mut states = rooms.watch(sale);
        states.mark_changed();
        let next = stream::unfold(states, async |mut states| {
            loop {
                states.changed().await.ok()?;
                let state = *states.borrow_and_update();
                if let Some(state) = state {
                    return Some((state, states));
                }
            }
        });
        next.boxed()
    }
}

/// A place on its way to its owner.
pub struct Follower {
    app: Shared,
    ticket: Ticket,
    text: String,
    watching: Watching<SaleId, RoomState>,
    /// What was told last.
    told: Option<PlaceView>,
    state: Option<RoomState>,
    /// Look again then, whether or not the line has moved.
    again: Option<Instant>,
    heard: Instant,
}

impl Follower {
    /// Follows the place of `ticket`.
    pub fn new(app: &Shared, ticket: Ticket) -> Result<Self, crate::problem::Problem> {
        let text = app.waiting_rooms.seal_ticket(&ticket)?;
        let watching = app.live.lines.watch(&ticket.sale_id);
        app.waiting_rooms.hear(&ticket);
        let (told, state, again) = (None, None, None);
        let heard = Instant::now();
        Ok(Self { app: app.clone(), ticket, text, watching, told, state, again, heard })
    }

    /// Where they stand, now and at every change, until nothing more can change.
    fn views(self) -> impl Stream<Item = PlaceView> + Send + 'static {
        stream::unfold(self, async |mut follower| {
            if follower.told.as_ref().is_some_and(PlaceView::is_over) {
                return None;
            }
            let view = follower.next().await?;
            follower.told = Some(view.clone());
            Some((view, follower))
        })
    }

    /// As events of a stream.
    pub fn events(self) -> impl Stream<Item = Bytes> + Send + 'static {
        self.views().map(|view| {
            if view.is_over() {
                sse::event("position", OVER, &view)
            } else {
                sse::event("position", view.now_serving, &view)
            }
        })
    }

    /// As messages. The first answers the message with this reference.
    pub(super) fn messages(
        self,
        mut reference: Option<Reference>,
    ) -> impl Stream<Item = Utf8Bytes> + Send + 'static {
        self.views().map(move |view| message(&view, reference.take().as_ref()))
    }

    async fn next(&mut self) -> Option<PlaceView> {
        loop {
            let still_there = self.heard + self.hearing();
            let again = self.again.unwrap_or(still_there).min(still_there);
            tokio::select! {
                state = self.watching.next() => self.state = Some(state?),
                () = sleep_until(again) => {}
            }
            if Instant::now() >= still_there {
                self.app.waiting_rooms.hear(&self.ticket);
                self.heard = Instant::now();
            }
            let Some(state) = self.state else { continue };
            let Some(view) = self.look(&state).await else { continue };
            if self.told.as_ref().is_none_or(|told| !told.same_place(&view)) {
                return Some(view);
            }
        }
    }

    /// What their owner would see; `None` while it cannot be known.
    async fn look(&mut self, state: &RoomState) -> Option<PlaceView> {
        self.again = None;
        if state.stage == Stage::Lifted && has_room(&self.app, &self.ticket) {
            return None; // It was put back, and the line is shown in a moment.
        }
        let place = match self.app.waiting_rooms.place_in(state, &self.ticket).await {
            Ok(place) => place,
            Err(error) => {
                debug!(%error, "a place in line could not be looked at");
                self.again = Some(Instant::now() + AGAIN);
                return None;
            }
        };
        if let Place::Inside(pass) = &place {
            let left_ms = pass.expires_at.millis() - self.app.clock.now().millis();
            let left = Duration::from_millis(left_ms.max(0).unsigned_abs());
            self.again = Some(Instant::now() + left);
        }
        view_in(&self.app, &self.ticket, self.text.clone(), (state, &place)).ok()
    }

    fn hearing(&self) -> Duration {
        let patience = self.state.map_or(AGAIN, |state| state.rules.patience());
        (patience / HEARD_PER_PATIENCE).max(AGAIN)
    }
}

/// A place as a message.
pub(super) fn message(view: &PlaceView, reference: Option<&Reference>) -> Utf8Bytes {
    protocol::event("queue:position-update", view, reference)
}
