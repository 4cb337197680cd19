//! The boards of an API: written for every announcement, read for every purchase.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use shared::boards::{OutcomeBoard, StockBoard};
use shared::domain::testing::id;
use shared::domain::{Counts, Order, ProductId, Status, StockLevel};

use super::{BATCH, Call};

/// Nothing gets old while it is measured.
const FRESH: Duration = Duration::from_secs(86_400);
/// Products on the stock board.
const PRODUCTS: i64 = 100;
/// Orders that the outcome board keeps.
const OUTCOMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8 * BATCH - 1);

fn level(product: i64, version: i64) -> StockLevel {
    let counts = Counts { total: 1_000_000, reserved: 0, sold: version };
    StockLevel { product_id: ProductId(product), counts, version, sale: None }
}

fn stock() -> StockBoard {
    let board = StockBoard::new(FRESH);
    let levels: Vec<_> = (1..=PRODUCTS).map(|product| level(product, 0)).collect();
    board.apply(&levels, Duration::ZERO);
    board
}

/// What a settled batch changes: one product.
pub(crate) fn stock_apply() -> Call {
    let (board, mut version) = (stock(), 0);
    Box::new(move || {
        version += 1;
        board.apply(black_box(&[level(1, version)]), Duration::ZERO);
    })
}

/// What a purchase asks.
pub(crate) fn stock_is_short() -> Call {
    let board = stock();
    Box::new(move || {
        black_box(board.is_short(black_box(ProductId(1)), None, 1));
    })
}

/// What a settled batch decides. A full board, so as many leave it.
pub(crate) fn outcomes_apply() -> Call {
    let board = OutcomeBoard::new(OUTCOMES, FRESH);
    // When it is a batch's turn again, its orders have long left.
    let batches: Vec<Vec<Arc<Order>>> = (0..16).map(orders).collect();
    for batch in &batches {
        apply(&board, batch);
    }
    let mut turn = 0;
    Box::new(move || {
        apply(&board, black_box(&batches[turn % batches.len()]));
        turn += 1;
    })
}

/// Generic functions are compiled where they are called: one place, so that what is around it does not
/// change what is inlined.
#[inline(never)]
fn apply(board: &OutcomeBoard, batch: &[Arc<Order>]) {
    board.apply(batch);
}

fn orders(batch: usize) -> Vec<Arc<Order>> {
    let ids = (batch * BATCH..(batch + 1) * BATCH).map(|n| id(n as u128));
    let confirmed = |id| Order { status: Status::Confirmed, version: 1, ..Order::queued(id) };
    ids.map(|id| Arc::new(confirmed(id))).collect()
}
