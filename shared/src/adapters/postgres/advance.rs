//! What happens to orders that were settled: one transaction around the pure function.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use super::rows::{self, OrderSql, order_columns};
use super::session::Session;
use super::statement::{bind, query};
use super::{audit_log, view, write};
use crate::domain::{
    Act, Command, Counts, Order, ProductId, Purchase, Status, TrackingId, advance as decide_on,
};
use crate::planted::planted;
use crate::ports::{Announcement, Carried, Deed, Expired, OrderChange};

/// Carries `commands` out.
pub(super) async fn advance(session: &Session, commands: &[Command]) -> Result<Carried, Fault> {
    let ids: BTreeSet<Uuid> = commands.iter().map(|command| command.id.0).collect();
    let sql = concat!(
        "select ",
        order_columns!(),
        " from orders o where o.id = any(?) order by o.id for no key update"
    );
    let ids = Vec::from_iter(ids);
    let read = query::<OrderSql, _>(sql, (bind::<Array<SqlUuid>, _>(ids),));
    let orders: Vec<Order> =
        session.rows(read).await?.into_iter().map(rows::order).collect::<Result<_, _>>()?;
    let counts = view::lock(session, products_to_lock(&orders, commands)).await?;
    carry_out(session, orders, commands, &counts).await
}

/// Ends holds and payments whose time is up. Those that somebody has in hand are skipped, so that
/// any number of workers can sweep at once; the oldest deadlines go first. Products whose row is
/// locked for long, by a recount, do not keep the others waiting.
pub(super) async fn expire(session: &Session, limit: usize) -> Result<Expired, Fault> {
    let mut busy: Vec<i64> = Vec::new();
    loop {
        let mut orders = due(session, limit, &busy).await?;
        if orders.is_empty() {
            // Without an end in sight for busy products: nobody knows when they are free again.
            let next_in = if busy.is_empty() { next_deadline(session).await? } else { None };
            return Ok(Expired { next_in, ..Expired::default() });
        }
        let product = |order: &Order| order.terms.as_ref().map(|terms| terms.product_id);
        let products: BTreeSet<i64> = orders.iter().filter_map(product).map(|id| id.0).collect();
        let counts = view::lock_free(session, Vec::from_iter(products.clone())).await?;
        busy.extend(products.into_iter().filter(|id| !counts.contains_key(&ProductId(*id))));
        orders.retain(|order| product(order).is_some_and(|id| counts.contains_key(&id)));
        if orders.is_empty() {
            continue;
        }
        let command =
            |order: &Order| Command { id: order.id, user: None, act: Act::Expire, by: None };
        let commands: Vec<_> = orders.iter().map(command).collect();
        let carried = carry_out(session, orders, &commands, &counts).await?;
        return Ok(Expired {
            count: commands.len(),
            announcement: carried.announcement,
            next_in: None,
        });
    }
}

/// Locks orders whose time is up. (`statement_timestamp` rather than `clock_timestamp`: a volatile
/// function would have every open hold read, for it is no condition for an index.)
async fn due(session: &Session, limit: usize, busy: &[i64]) -> Result<Vec<Order>, Fault> {
    let sql = concat!(
        "select ",
        order_columns!(),
        " from orders o
          where o.status in ('RESERVED', 'PENDING') and o.product_id <> all(?) and
              (case o.status when 'RESERVED' then o.expires_at else o.pay_by end)
                  <= statement_timestamp()
          order by (case o.status when 'RESERVED' then o.expires_at else o.pay_by end)
          limit ? for no key update skip locked"
    );
    let unlocked = || sql.split(" for no key").next().unwrap_or(sql);
    let sql = if planted("sweep-without-lock") { unlocked() } else { sql };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let binds = (bind::<Array<BigInt>, _>(busy.to_vec()), bind::<BigInt, _>(limit));
    session.rows(query::<OrderSql, _>(sql, binds)).await?.into_iter().map(rows::order).collect()
}

async fn next_deadline(session: &Session) -> Result<Option<Duration>, Fault> {
    let sql = "
        select clock_timestamp(),
            min(case status when 'RESERVED' then expires_at else pay_by end)
        from orders where status in ('RESERVED', 'PENDING')";
    let read = query::<(Timestamptz, Nullable<Timestamptz>), _>(sql, ());
    let (now, next): (PgTimestamp, Option<PgTimestamp>) = session.row(read).await?;
    let wait =
        |next: PgTimestamp| Duration::from_micros(u64::try_from(next.0 - now.0).unwrap_or(0));
    Ok(next.map(wait))
}

/// Carries `commands` out on their orders, which are locked like the products of `counts`.
async fn carry_out(
    session: &Session,
    orders: Vec<Order>,
    commands: &[Command],
    counts: &BTreeMap<ProductId, Counts>,
) -> Result<Carried, Fault> {
    let late = late_payments(&orders, commands);
    let view = view::read_standing(session, orders, &late, counts).await?;
    let advance = decide_on(view, commands);
    if advance.steps.is_empty() {
        return Ok(Carried { results: advance.results, announcement: None });
    }
    let orders: Vec<_> = advance.steps.iter().cloned().map(OrderChange::from).collect();
    let owed = write::Owed { orders: &orders, notices: &advance.notices, ..Default::default() };
    let ((), levels, (due, at)) = futures::try_join!(
        write::advanced(session, &advance),
        write::stock(session, &advance.changes),
        write::owe(session, &owed),
    )?;
    for (order, by) in advance.to_note(commands) {
        audit_log::note(session, by, &Deed::order_moved(order)).await?;
    }
    let notices = advance.notices;
    let dead_letters = Vec::new();
    let announcement = Announcement { due: Some(due), at, orders, notices, levels, dead_letters };
    Ok(Carried { results: advance.results, announcement: Some(announcement) })
}

/// The products of which a command may move units.
fn products_to_lock(orders: &[Order], commands: &[Command]) -> Vec<i64> {
    let moving: HashSet<TrackingId> = commands
        .iter()
        .filter(|command| !matches!(command.act, Act::Checkout { .. } | Act::Fulfil | Act::Discard))
        .map(|command| command.id)
        .collect();
    let moved = orders.iter().filter(|order| moving.contains(&order.id));
    let products: BTreeSet<i64> =
        moved.filter_map(|order| Some(order.terms.as_ref()?.product_id.0)).collect();
    Vec::from_iter(products)
}

/// Orders of whose payment is heard, or in this batch may be heard, after their hold has ended, as the
/// purchases they would be: what they need to be judged, and what honours them, is read for these only.
fn late_payments(orders: &[Order], commands: &[Command]) -> Vec<Purchase> {
    let asks = |command: &Command| {
        matches!(command.act, Act::Paid { .. } | Act::Declined { .. } | Act::Checkout { .. })
    };
    // Sweeps are large and ask for nothing.
    if !commands.iter().any(asks) {
        return Vec::new();
    }
    let ended = |order: &Order| matches!(order.status, Status::Expired | Status::Failed);
    let may_be_late = |order: &&Order| {
        let mut theirs = commands.iter().filter(|command| command.id == order.id);
        theirs.clone().any(asks) && (ended(order) || theirs.nth(1).is_some())
    };
    let purchase = |order: &Order| Purchase::anew(order, order.id);
    orders.iter().filter(may_be_late).filter_map(purchase).collect()
}
