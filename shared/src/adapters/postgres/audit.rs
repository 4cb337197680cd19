//! The ledger's account of itself: what is counted beside what history adds up to.
//!
//! Everything is compared by the database, set against set; what is read is one row per product and
//! the first of what does not agree. All orders are looked at four times: by product, by buyer under
//! a limit, by sale with a quantity, and for those that are parked.

use std::time::Duration;

use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use super::outbox;
use super::rows::{self, LevelRow, LevelSql, level_columns, live_capped_sale};
use super::session::Session;
use super::statement::{Bind, bind, query};
use crate::domain::{Counts, ProductId, SaleId, TrackingId};
use crate::ports::{BuyerMiscount, LedgerAudit, NAMED_MAX, Named, ProductAudit, SaleMiscount};

/// Reads everything; in a snapshot.
pub(super) async fn audit(session: &Session) -> Result<LedgerAudit, Fault> {
    // The one read that must look at every order: with plans for that, and time.
    session.allow(Duration::from_secs(600)).await?;
    session.batch("set local enable_seqscan = on; set local enable_hashjoin = on").await?;
    let (parked, unkept) = parked(session).await?;
    let open = "select count(*) from dead_letters where closed_at is null";
    let dead_letters = session.row(query::<BigInt, _>(open, ())).await?;
    let dues = outbox::waiting(session).await?;
    Ok(LedgerAudit {
        products: products(session).await?,
        buyers: buyers(session).await?,
        sales: sales(session).await?,
        parked,
        unkept,
        dead_letters,
        dues: i64::try_from(dues.count).unwrap_or(i64::MAX),
        oldest_due_ms: dues.oldest_ms,
    })
}

type HistorySql = (Bool, BigInt, BigInt, BigInt, BigInt, BigInt);
type HistoryRow = (bool, i64, i64, i64, i64, i64);

async fn products(session: &Session) -> Result<Vec<ProductAudit>, Fault> {
    let levels = concat!(
        "select ",
        level_columns!(),
        " from inventory i ",
        live_capped_sale!(),
        " order by i.product_id"
    );
    let levels: Vec<LevelRow> = session.rows(query::<LevelSql, _>(levels, ())).await?;
    let history: Vec<HistoryRow> = session.rows(query::<HistorySql, _>(HISTORY, ())).await?;
    let products = levels.into_iter().map(rows::level).zip(history).map(|(level, history)| {
        let (active, total, reserved, sold, orders_taken, orders_rejected) = history;
        let recomputed = Counts { total, reserved, sold };
        ProductAudit { level, active, recomputed, orders_taken, orders_rejected }
    });
    Ok(products.collect())
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

type BuyerSql = (BigInt, BigInt, Text, BigInt, BigInt, BigInt);
type BuyerRow = (i64, i64, String, i64, i64, i64);

/// Buyers under a limit whose count is not that of their orders.
async fn buyers(session: &Session) -> Result<Named<BuyerMiscount>, Fault> {
    let sql = "
        with limited as (
            select id as product_id, 0::bigint as sale_id from products
            where per_user_limit is not null
            union all
            select product_id, id from sales where per_user_limit is not null
        ),
        ordered as (
            select l.product_id, l.sale_id, o.user_id, sum(o.quantity)::bigint as units
            from orders o
            join limited l on l.product_id = o.product_id and l.sale_id = coalesce(o.sale_id, 0)
            where o.status in ('RESERVED', 'PENDING', 'CONFIRMED', 'FULFILLED')
            group by l.product_id, l.sale_id, o.user_id
        ),
        counted as (
            select * from buyers join limited using (product_id, sale_id)
        )
        select product_id, sale_id, user_id, coalesce(counted.units, 0), coalesce(ordered.units, 0),
            count(*) over ()
        from counted full join ordered using (product_id, sale_id, user_id)
        where coalesce(counted.units, 0) <> coalesce(ordered.units, 0)
        order by product_id, sale_id, user_id collate \"C\" limit ?";
    let read = query::<BuyerSql, _>(sql, (named_max(),));
    let found: Vec<BuyerRow> = session.rows(read).await?;
    let count = found.first().map_or(0, |row| row.5);
    let miscount = |(product, sale, user_id, counted, ordered, _): BuyerRow| BuyerMiscount {
        product_id: ProductId(product),
        sale_id: (sale != 0).then_some(SaleId(sale)),
        user_id,
        counted,
        ordered,
    };
    Ok(Named { count, first: found.into_iter().map(miscount).collect() })
}

type SaleSql = (BigInt, BigInt, BigInt, BigInt, BigInt);
type SaleRow = (i64, i64, i64, i64, i64);

/// Sales with a quantity whose count is not that of their orders.
async fn sales(session: &Session) -> Result<Named<SaleMiscount>, Fault> {
    let sql = "
        select s.id, s.product_id, s.taken, coalesce(ordered.units, 0), count(*) over ()
        from sales s
        left join (
            select sale_id, product_id, sum(quantity)::bigint as units from orders
            where sale_id is not null
                and status in ('RESERVED', 'PENDING', 'CONFIRMED', 'FULFILLED')
            group by sale_id, product_id
        ) ordered on ordered.sale_id = s.id and ordered.product_id = s.product_id
        where s.quantity is not null and s.taken <> coalesce(ordered.units, 0)
        order by s.id limit ?";
    let read = query::<SaleSql, _>(sql, (named_max(),));
    let found: Vec<SaleRow> = session.rows(read).await?;
    let count = found.first().map_or(0, |row| row.4);
    let miscount = |(sale, product, counted, ordered, _): SaleRow| SaleMiscount {
        sale_id: SaleId(sale),
        product_id: ProductId(product),
        counted,
        ordered,
    };
    Ok(Named { count, first: found.into_iter().map(miscount).collect() })
}

/// How many orders are parked, and those of them that no open letter stands for.
async fn parked(session: &Session) -> Result<(i64, Named<TrackingId>), Fault> {
    let sql = "
        with parked as materialized (
            select id, exists (
                select from dead_letters d where d.order_id = orders.id and d.closed_at is null
            ) as kept
            from orders where status = 'PARKED'
        )
        select (select count(*) from parked), (select count(*) from parked where not kept),
            array(select id from parked where not kept order by id limit ?)";
    let read = query::<(BigInt, BigInt, Array<SqlUuid>), _>(sql, (named_max(),));
    let (parked, count, unkept): (i64, i64, Vec<Uuid>) = session.row(read).await?;
    Ok((parked, Named { count, first: unkept.into_iter().map(TrackingId).collect() }))
}

fn named_max() -> Bind<BigInt, i64> {
    bind(i64::try_from(NAMED_MAX).unwrap_or(i64::MAX))
}
