//! The outbox: what commits owe to the world.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use super::session::Session;
use super::statement::{bind, command, query};
use super::{reads, rows};
use crate::domain::{Notice, Order, OrderEvent, ProductId, StockLevel, TrackingId};
use crate::ports::{Announcement, DeadLetter, DueId, DuesWaiting, OrderChange};

/// A leased row: ID, when it was written, orders with what happened to them at which version,
/// notices, dead letters.
type Due = (i64, PgTimestamp, Vec<Uuid>, Vec<String>, Vec<i64>, String, Vec<i64>);
type DueSql =
    (BigInt, Timestamptz, Array<SqlUuid>, Array<Text>, Array<BigInt>, Text, Array<BigInt>);

/// Leases rows whose lease ran out in one short statement, then reads what they owe without any
/// lock: whoever pays them holds nothing that others wait for.
pub(super) async fn lease(session: &Session, limit: usize) -> Result<Vec<Announcement>, Fault> {
    // Materialized, or the planner might run the locking part once per row.
    let sql = "
        with due as materialized (
            select id from outbox where leased_until < clock_timestamp()
            order by id limit ? for update skip locked
        )
        update outbox set leased_until = clock_timestamp() + interval '5 s'
        from due where outbox.id = due.id
        returning outbox.id, at, order_ids, kinds, versions, notices::text, dead_letter_ids";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let lease = query::<DueSql, _>(sql, (bind::<BigInt, _>(limit),));
    let mut dues: Vec<Due> = session.rows(lease).await?;
    if dues.is_empty() {
        return Ok(Vec::new());
    }
    dues.sort_unstable_by_key(|due| due.0);
    let order_ids: Vec<TrackingId> =
        dues.iter().flat_map(|due| due.2.iter().copied().map(TrackingId)).collect();
    let letter_ids: Vec<i64> = dues.iter().flat_map(|due| due.6.iter().copied()).collect();
    let (orders, letters) =
        futures::try_join!(reads::orders(session, &order_ids), dead_letters(session, letter_ids))?;
    let noticed = dues.iter().flat_map(|due| notices(&due.5)).map(|notice| notice.product_id);
    let products: HashSet<ProductId> =
        orders.iter().filter_map(product_of).chain(noticed).collect();
    let levels = reads::stock(session, &Vec::from_iter(products)).await?;
    Ok(Owed::new(orders, levels, letters).announcements(dues))
}

/// What a newer version noted and this one does not know is left out.
fn notices(json: &str) -> Vec<Notice> {
    let noted: Vec<serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    noted.into_iter().filter_map(|notice| serde_json::from_value(notice).ok()).collect()
}

fn product_of(order: &Order) -> Option<ProductId> {
    Some(order.terms.as_ref()?.product_id)
}

/// What the leased rows speak of, as it is now.
struct Owed {
    orders: HashMap<TrackingId, Arc<Order>>,
    levels: HashMap<ProductId, StockLevel>,
    letters: HashMap<i64, DeadLetter>,
}

impl Owed {
    fn new(orders: Vec<Order>, levels: Vec<StockLevel>, letters: HashMap<i64, DeadLetter>) -> Self {
        Self {
            orders: orders.into_iter().map(|order| (order.id, Arc::new(order))).collect(),
            levels: levels.into_iter().map(|level| (level.product_id, level)).collect(),
            letters,
        }
    }

    fn announcements(&self, dues: Vec<Due>) -> Vec<Announcement> {
        let announcement = |due: Due| {
            let (id, at, order_ids, kinds, versions, notices_json, letter_ids) = due;
            let changes = order_ids.into_iter().zip(kinds).zip(versions);
            let orders: Vec<_> = changes
                .filter_map(|((id, kind), version)| {
                    let order = self.orders.get(&TrackingId(id)).cloned()?;
                    let known = OrderEvent::from_name(&kind);
                    let event = known.unwrap_or_else(|| OrderEvent::settled(&order));
                    Some(OrderChange { event, version, order })
                })
                .collect();
            let notices = notices(&notices_json);
            let products = orders.iter().filter_map(|change| product_of(&change.order));
            let products: HashSet<_> =
                products.chain(notices.iter().map(|notice| notice.product_id)).collect();
            let letters = letter_ids.iter().filter_map(|id| self.letters.get(id).cloned());
            Announcement {
                due: Some(DueId(id)),
                at: rows::from_pg(at),
                levels: products.iter().filter_map(|id| self.levels.get(id).copied()).collect(),
                orders,
                notices,
                dead_letters: letters.collect(),
            }
        };
        dues.into_iter().map(announcement).collect()
    }
}

async fn dead_letters(session: &Session, ids: Vec<i64>) -> Result<HashMap<i64, DeadLetter>, Fault> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "select id, order_id, body, error from dead_letters where id = any(?)";
    let read = query::<(BigInt, Nullable<SqlUuid>, Binary, Text), _>(
        sql,
        (bind::<Array<BigInt>, _>(ids),),
    );
    let rows: Vec<(i64, Option<Uuid>, Vec<u8>, String)> = session.rows(read).await?;
    let letter = |(id, order_id, body, error): (i64, Option<Uuid>, Vec<u8>, String)| {
        (id, DeadLetter { order_id: order_id.map(TrackingId), body, error })
    };
    Ok(rows.into_iter().map(letter).collect())
}

/// Counts what is not paid. The table is nearly empty, or an outage has filled it.
pub(super) async fn waiting(session: &Session) -> Result<DuesWaiting, Fault> {
    let sql = "
        select count(*),
            coalesce((extract(epoch from clock_timestamp() - min(at)) * 1000)::bigint, 0)
        from outbox";
    let (count, oldest_ms): (i64, i64) = session.row(query::<(BigInt, BigInt), _>(sql, ())).await?;
    Ok(DuesWaiting { count: u64::try_from(count).unwrap_or_default(), oldest_ms })
}

/// Deletes paid rows. The commit does not wait for the disk: a delete that a crash loses is paid
/// twice, which changes nothing for anybody.
pub(super) async fn clear(session: &Session, dues: &[DueId]) -> Result<(), Fault> {
    let sql = "
        with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
        delete from outbox using relaxed where id = any(?)";
    let ids: Vec<i64> = dues.iter().map(|due| due.0).collect();
    session.execute(command(sql, (bind::<Array<BigInt>, _>(ids),))).await.map(drop)
}
