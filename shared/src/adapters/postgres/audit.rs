//! The ledger's account of itself: inventory beside what history adds up to.

use std::time::Duration;

use diesel::sql_types::{BigInt, Bool};

use super::errors::Fault;
use super::rows::{self, LevelRow, LevelSql, level_columns, live_capped_sale};
use super::session::Session;
use super::statement::query;
use crate::domain::Counts;
use crate::ports::{LedgerAudit, ProductAudit};

type HistorySql = (Bool, BigInt, BigInt, BigInt, BigInt, BigInt);
type HistoryRow = (bool, i64, i64, i64, i64, i64);

/// Reads everything; in a snapshot.
pub(super) async fn audit(session: &Session) -> Result<LedgerAudit, Fault> {
    // The one read that must look at every order: with plans for that, and time.
    session.allow(Duration::from_secs(600)).await?;
    session.batch("set local enable_seqscan = on; set local enable_hashjoin = on").await?;
    let levels = concat!(
        "select ",
        level_columns!(),
        " from inventory i ",
        live_capped_sale!(),
        " order by i.product_id"
    );
    let levels: Vec<LevelRow> = session.rows(query::<LevelSql, _>(levels, ())).await?;
    let history: Vec<HistoryRow> = session.rows(query::<HistorySql, _>(HISTORY, ())).await?;
    let counts = "
        select (select count(*) from orders where status = 'PARKED'),
            (select count(*) from dead_letters where closed_at is null),
            (select count(*) from outbox)";
    let (parked, dead_letters, dues) =
        session.row(query::<(BigInt, BigInt, BigInt), _>(counts, ())).await?;
    let products = levels.into_iter().map(rows::level).zip(history).map(|(level, history)| {
        let (active, total, reserved, sold, orders_taken, orders_rejected) = history;
        let recomputed = Counts { total, reserved, sold };
        ProductAudit { level, active, recomputed, orders_taken, orders_rejected }
    });
    Ok(LedgerAudit { products: products.collect(), parked, dead_letters, dues })
}

/// One row per product, in the order of the levels.
const HISTORY: &str = "
    with moved as (
        select product_id, sum(delta)::bigint as total from stock_movements group by product_id
    ),
    ordered as (
        select product_id,
            sum(quantity) filter (where status in ('RESERVED', 'PENDING'))::bigint as reserved,
            sum(quantity) filter (where status in ('CONFIRMED', 'FULFILLED'))::bigint as sold,
            count(*) filter (
                where status in ('RESERVED', 'PENDING', 'CONFIRMED', 'FULFILLED')
            ) as taken,
            count(*) filter (where status = 'REJECTED') as rejected
        from orders group by product_id
    )
    select p.active, coalesce(moved.total, 0), coalesce(ordered.reserved, 0),
        coalesce(ordered.sold, 0),
        coalesce(ordered.taken, 0), coalesce(ordered.rejected, 0)
    from inventory i
    join products p on p.id = i.product_id
    left join moved on moved.product_id = i.product_id
    left join ordered on ordered.product_id = i.product_id
    order by i.product_id";
