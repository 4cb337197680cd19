//! The stock of a product as it is pushed.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use shared::boards::{Boards, Watch};
use shared::domain::{ProductId, ProductRef};
use shared::ports::{Clock, LedgerClock};

use super::protocol::{self, Reference};
use super::{Watching, sse};
use crate::levels::Seen;
use crate::views::StockEvent;

/// The stock of a product, rendered for all who watch it.
#[derive(Debug)]
pub struct StockNews {
    /// Rises with every change.
    pub version: i64,
    /// As an event of a stream.
    pub event: Bytes,
    /// As a message.
    pub message: Utf8Bytes,
}

/// Gives the stock of a product at every change of the board: always a higher version.
pub(super) fn source(
    boards: &Arc<Boards>,
    clock: &Arc<LedgerClock>,
) -> impl Fn(&ProductId) -> BoxStream<'static, Arc<StockNews>> + Send + Sync + 'static {
    let (boards, clock) = (Arc::clone(boards), Arc::clone(clock));
    move |&product| {
        let following = Following {
            watch: boards.stock.watch(product),
            boards: Arc::clone(&boards),
            clock: Arc::clone(&clock),
            shown: 0,
        };
        stream::unfold(following, async |mut following| {
            let news = following.next().await;
            Some((Arc::new(news), following))
        })
        .boxed()
    }
}

struct Following {
    boards: Arc<Boards>,
    clock: Arc<LedgerClock>,
    watch: Watch<ProductId>,
    shown: i64,
}

impl Following {
    async fn next(&mut self) -> StockNews {
        loop {
            let changed = self.watch.changed();
            if let Some(news) = self.news() {
                self.shown = news.version;
                return news;
            }
            changed.await;
        }
    }

    fn news(&self) -> Option<StockNews> {
        let (level, age) = self.boards.stock.newest_with_age(self.watch.key())?;
        if level.version <= self.shown {
            return None;
        }
        let as_of = self.clock.now().plus_millis(-(age.as_millis() as i64));
        let stock = render(&self.boards, &self.clock, Seen { level, as_of })?;
        Some(StockNews {
            version: level.version,
            event: event(level.version, &stock),
            message: protocol::event("inventory:update", &stock, None),
        })
    }
}

/// The stock as it was seen; `None` of a product that the catalogue does not have.
fn render(boards: &Boards, clock: &LedgerClock, seen: Seen) -> Option<StockEvent> {
    let catalogue = boards.catalogue.current()?;
    let product = catalogue.find(&ProductRef::Id(seen.level.product_id))?;
    Some(StockEvent::new(&catalogue, product, seen, clock.now()))
}

fn event(version: i64, stock: &StockEvent) -> Bytes {
    sse::event("stock", version, stock)
}

/// The first event, of the stock as it was seen.
pub fn first_event(boards: &Boards, clock: &LedgerClock, seen: Seen) -> Option<Bytes> {
    Some(event(seen.level.version, &render(boards, clock, seen)?))
}

/// The first message, of the stock as it was seen.
pub(super) fn first_message(
    boards: &Boards,
    clock: &LedgerClock,
    seen: Seen,
    reference: Option<&Reference>,
) -> Option<Utf8Bytes> {
    Some(protocol::event("inventory:update", &render(boards, clock, seen)?, reference))
}

/// What is news to a client who knows the stock at version `known`.
pub fn newer(
    watching: Watching<ProductId, Arc<StockNews>>,
    known: i64,
) -> impl Stream<Item = Arc<StockNews>> + Send + 'static {
    stream::unfold((watching, known), async |(mut watching, known)| {
        loop {
            let news = watching.next().await?;
            if news.version > known {
                let known = news.version;
                return Some((news, (watching, known)));
            }
        }
    })
}
