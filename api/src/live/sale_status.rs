//! Where the sales of a product stand, as it is pushed: by the catalogue, the clock and the stock board.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use shared::boards::{Boards, Watch};
use shared::domain::{Phase, ProductId, ProductRef, Sale, StockLevel, Timestamp};
use shared::ports::{Clock, LedgerClock};

use super::{Watching, protocol};
use crate::views::{SOLD_OUT, SaleStatus};

/// Clocks are corrected: what is due at a moment is looked at again this often.
const LOOK_AGAIN_MS: i64 = 5_000;

/// The sales of a product at one moment, rendered for all who watch it.
#[derive(Debug, Default)]
pub struct SalesNews(Vec<SaleNow>);

#[derive(Debug, Clone)]
struct SaleNow {
    status: SaleStatus,
    message: Utf8Bytes,
}

impl SalesNews {
    /// What a client is told first: of the sale that is on, else of the next, else of the last.
    pub(super) fn first(&self) -> Option<Utf8Bytes> {
        let find = |wanted: &[&str]| self.0.iter().find(|now| wanted.contains(&now.status.status));
        let sale = find(&[Phase::Live.as_str(), SOLD_OUT]);
        let sale = sale.or_else(|| find(&[Phase::Upcoming.as_str()])).or(self.0.last());
        sale.map(|now| now.message.clone())
    }

    /// What a client is told who knows `known`.
    fn since(&self, known: &Self) -> Vec<Utf8Bytes> {
        let known = |now: &&SaleNow| !known.0.iter().any(|old| old.status == now.status);
        self.0.iter().filter(known).map(|now| now.message.clone()).collect()
    }
}

/// The sales of a product now.
pub(super) fn now(boards: &Boards, clock: &LedgerClock, product: ProductId) -> SalesNews {
    let Some(catalogue) = boards.catalogue.current() else { return SalesNews::default() };
    let Some(product) = catalogue.find(&ProductRef::Id(product)) else {
        return SalesNews::default();
    };
    let (level, now) = (boards.stock.newest(product.id), clock.now());
    let sales = catalogue.sales_of(product.id).iter().map(|sale| {
        let status = SaleStatus::new(sale, product, status(sale, level.as_ref(), now));
        let message = protocol::event("sale:status-change", &status, None);
        SaleNow { status, message }
    });
    SalesNews(sales.collect())
}

fn status(sale: &Sale, level: Option<&StockLevel>, now: Timestamp) -> &'static str {
    let phase = sale.phase(now);
    let nothing_left = level.is_some_and(|level| {
        let of_sale = level.sale.filter(|left| left.sale_id == sale.id);
        level.counts.available() <= 0 || of_sale.is_some_and(|left| left.sale_left <= 0)
    });
    if phase == Phase::Live && nothing_left { SOLD_OUT } else { phase.as_str() }
}

/// Gives the sales of a product whenever one of them changes.
pub(super) fn source(
    boards: &Arc<Boards>,
    clock: &Arc<LedgerClock>,
) -> impl Fn(&ProductId) -> BoxStream<'static, Arc<SalesNews>> + Send + Sync + 'static {
    let (boards, clock) = (Arc::clone(boards), Arc::clone(clock));
    move |&product| {
        let following = Following {
            watch: boards.stock.watch(product),
            boards: Arc::clone(&boards),
            clock: Arc::clone(&clock),
            shown: Arc::default(),
        };
        stream::unfold(following, async |mut following| {
            let news = following.next().await;
            Some((news, following))
        })
        .boxed()
    }
}

struct Following {
    boards: Arc<Boards>,
    clock: Arc<LedgerClock>,
    watch: Watch<ProductId>,
    shown: Arc<SalesNews>,
}

impl Following {
    async fn next(&mut self) -> Arc<SalesNews> {
        loop {
            let (stock, catalogue) = (self.watch.changed(), self.boards.catalogue.changed());
            let news = now(&self.boards, &self.clock, self.watch.key());
            if !news.since(&self.shown).is_empty() {
                self.shown = Arc::new(news);
                return Arc::clone(&self.shown);
            }
            tokio::select! {
                () = stock => {}
                () = catalogue => {}
                () = tokio::time::sleep(self.until_due()) => {}
            }
        }
    }

    /// Until the next sale opens or closes, or until a look is due anyway.
    fn until_due(&self) -> Duration {
        let now = self.clock.now();
        let catalogue = self.boards.catalogue.current();
        let sales = catalogue.iter().flat_map(|catalogue| catalogue.sales_of(self.watch.key()));
        let moments = sales.filter(|sale| !sale.cancelled).flat_map(|s| [s.starts_at, s.ends_at]);
        let next = moments.filter(|moment| *moment > now).map(|at| at.millis() - now.millis());
        let ms = next.chain([LOOK_AGAIN_MS]).min().unwrap_or(LOOK_AGAIN_MS);
        Duration::from_millis(ms.unsigned_abs())
    }
}

/// What is news to a client who knows `known`.
pub(super) fn newer(
    watching: Watching<ProductId, Arc<SalesNews>>,
    known: Arc<SalesNews>,
) -> impl Stream<Item = Utf8Bytes> + Send + 'static {
    stream::unfold((watching, known), async |(mut watching, known)| {
        let news = watching.next().await?;
        let messages = news.since(&known);
        Some((stream::iter(messages), (watching, news)))
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use shared::domain::testing::sale;
    use shared::domain::{Counts, SaleId, SaleLeft};

    use super::*;

    #[test]
    fn a_live_sale_of_which_nothing_is_left_is_sold_out() {
        let sale = sale(7, 1, 100, 200);
        let level = |sold, of_sale: Option<(i64, i64)>| StockLevel {
            product_id: ProductId(1),
            counts: Counts { total: 10, reserved: 0, sold },
            version: 1,
            sale: of_sale.map(|(id, sale_left)| SaleLeft { sale_id: SaleId(id), sale_left }),
        };
        let at = |ms, level: Option<StockLevel>| {
            status(&sale, level.as_ref(), Timestamp::from_millis(ms))
        };
        assert_eq!(at(99, Some(level(10, None))), "upcoming");
        assert_eq!(at(100, None), "live");
        assert_eq!(at(100, Some(level(9, None))), "live");
        assert_eq!(at(100, Some(level(10, None))), "sold_out");
        assert_eq!(at(100, Some(level(3, Some((7, 0))))), "sold_out");
        assert_eq!(at(100, Some(level(3, Some((6, 0))))), "live");
        assert_eq!(at(200, Some(level(10, None))), "ended");
    }
}
