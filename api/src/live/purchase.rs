//! A purchase that a client follows.

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;
use futures::stream::{self, Stream};
use shared::domain::{Status, TrackingId};
use shared::pipeline::track::{Following, TrackError, Tracked};
use tracing::debug;

use super::protocol::{self, Reference};
use super::sse;
use crate::identity::Access;
use crate::state::Shared;
use crate::views::PurchaseView;

/// A purchase on its way to one client.
pub struct Follower {
    app: Shared,
    access: Access,
    id: TrackingId,
    following: Following,
    /// Looked at and not told yet.
    first: Option<Tracked>,
    over: bool,
}

impl Follower {
    /// Follows `id` for `access`, if it was ever issued.
    pub async fn start(app: &Shared, access: Access, id: TrackingId) -> Result<Self, TrackError> {
        let mut following = app.tracker.follow(id);
        let first = Some(following.next().await?);
        Ok(Self { app: app.clone(), access, id, following, first, over: false })
    }

    /// Whether a client who was told `told` knows all there will be.
    pub fn has_nothing_for(&self, told: EventId) -> bool {
        let first = self.first.as_ref();
        first.is_some_and(|first| is_over(first.order.status) && told.covers(first))
    }

    /// As events, up to where nothing more is expected, for a client who was told `told`.
    pub fn events(self, told: Option<EventId>) -> impl Stream<Item = Bytes> + Send + 'static {
        stream::unfold(self, move |mut follower| async move {
            loop {
                if follower.over {
                    return None;
                }
                let tracked = follower.next().await;
                follower.over = is_over(tracked.order.status);
                if !told.is_some_and(|told| told.covers(&tracked)) {
                    let id = EventId::of(&tracked);
                    return Some((sse::event("status", id, &follower.view(&tracked)), follower));
                }
            }
        })
    }

    /// As messages, until nothing can change any more. The first answers the message with this reference.
    pub(super) fn messages(
        self,
        reference: Option<Reference>,
    ) -> impl Stream<Item = Utf8Bytes> + Send + 'static {
        stream::unfold((self, reference), async |(mut follower, reference)| {
            if follower.over {
                return None;
            }
            let tracked = follower.next().await;
            follower.over = tracked.order.status.is_terminal();
            let view = follower.view(&tracked);
            let message = protocol::event("order:update", &view, reference.as_ref());
            Some((message, (follower, None)))
        })
    }

    /// What it looks like now, then at the next change. While it cannot be looked at it is as it was.
    async fn next(&mut self) -> Tracked {
        if let Some(first) = self.first.take() {
            return first;
        }
        loop {
            match self.following.next().await {
                Ok(tracked) => return tracked,
                Err(error) => debug!(%error, id = %self.id, "a purchase could not be looked at"),
            }
        }
    }

    fn view(&self, tracked: &Tracked) -> PurchaseView {
        let catalogue = self.app.boards.catalogue.current();
        let sees = self.access.sees(&tracked.order);
        PurchaseView::new(self.id, tracked, catalogue.as_deref(), sees)
    }
}

/// A stream ends where a buyer has the answer, though a sold order may still be shipped or taken back.
fn is_over(status: Status) -> bool {
    status == Status::Confirmed || status.is_terminal()
}

/// The ID of a `status` event: the version, and behind an `r` the original's version of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    replay: bool,
    version: i64,
}

impl EventId {
    fn of(tracked: &Tracked) -> Self {
        Self { replay: tracked.replay_of.is_some(), version: tracked.order.version }
    }

    /// Reads what a client says it has; what cannot be read is nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let version = text.strip_prefix('r');
        let replay = version.is_some();
        let version = version.unwrap_or(text).parse().ok().filter(|version| *version >= 0)?;
        Some(Self { replay, version })
    }

    /// Whether who has this one has `tracked` too.
    fn covers(self, tracked: &Tracked) -> bool {
        let shown = Self::of(tracked);
        self.replay == shown.replay && self.version >= shown.version
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.replay { "r" } else { "" }, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_read_as_it_was_written() {
        for text in ["0", "7", "r3"] {
            assert_eq!(EventId::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        }
        for text in ["", "x", "-1", "r", "r-1", "rr1", "1.5"] {
            assert_eq!(EventId::parse(text), None, "{text}");
        }
    }
}
