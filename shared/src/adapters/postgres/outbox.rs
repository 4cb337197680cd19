//! The outbox: what commits owe to the world.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use super::reads;
use super::session::Session;
use super::statement::{bind, command, query};
use crate::domain::{Order, ProductId, StockLevel, TrackingId};
use crate::ports::{Announcement, DeadLetter, DueId};

/// A leased row: its ID, its orders and its dead letters.
type Due = (i64, Vec<Uuid>, Vec<i64>);

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
        returning outbox.id, order_ids, dead_letter_ids";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let lease =
        query::<(BigInt, Array<SqlUuid>, Array<BigInt>), _>(sql, (bind::<BigInt, _>(limit),));
    let mut dues: Vec<Due> = session.rows(lease).await?;
    if dues.is_empty() {
        return Ok(Vec::new());
    }
    dues.sort_unstable_by_key(|due| due.0);
    let order_ids: Vec<TrackingId> =
        dues.iter().flat_map(|due| due.1.iter().copied().map(TrackingId)).collect();
    let letter_ids: Vec<i64> = dues.iter().flat_map(|due| due.2.iter().copied()).collect();
    let (orders, letters) =
        futures::try_join!(reads::orders(session, &order_ids), dead_letters(session, letter_ids))?;
    let products: HashSet<ProductId> = orders.iter().filter_map(product_of).collect();
    let levels = reads::stock(session, &Vec::from_iter(products)).await?;
    Ok(Owed::new(orders, levels, letters).announcements(dues))
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
        let announcement = |(id, order_ids, letter_ids): Due| {
            let orders: Vec<_> = order_ids
                .into_iter()
                .filter_map(|id| self.orders.get(&TrackingId(id)).cloned())
                .collect();
            let products: HashSet<_> = orders.iter().filter_map(|o| product_of(o)).collect();
            let letters = letter_ids.iter().filter_map(|id| self.letters.get(id).cloned());
            Announcement {
                due: Some(DueId(id)),
                levels: products.iter().filter_map(|id| self.levels.get(id).copied()).collect(),
                orders,
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

/// Deletes paid rows. The commit does not wait for the disk: a delete that a crash loses is paid
/// twice, which changes nothing for anybody.
pub(super) async fn clear(session: &Session, dues: &[DueId]) -> Result<(), Fault> {
    let sql = "
        with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
        delete from outbox using relaxed where id = any(?)";
    let ids: Vec<i64> = dues.iter().map(|due| due.0).collect();
    session.execute(command(sql, (bind::<Array<BigInt>, _>(ids),))).await.map(drop)
}
