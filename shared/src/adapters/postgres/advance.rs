//! What happens to orders that were settled: one transaction around the pure function.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use super::rows::{self, OrderSql, order_columns};
use super::session::Session;
use super::statement::{bind, query};
use super::{view, write};
use crate::domain::{
    Act, Command, Kind, Order, Purchase, Status, TrackingId, advance as decide_on,
};
use crate::ports::{Announcement, Carried, Expired, OrderChange};

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
    let orders =
        session.rows(read).await?.into_iter().map(rows::order).collect::<Result<_, _>>()?;
    carry_out(session, orders, commands).await
}

/// Ends holds and payments whose time is up. Those that somebody has in hand are skipped, so that
/// any number of workers can sweep at once; the oldest deadlines go first.
pub(super) async fn expire(session: &Session, limit: usize) -> Result<Expired, Fault> {
    let sql = concat!(
        "select ",
        order_columns!(),
        " from orders o
          where o.status in ('RESERVED', 'PENDING') and
              (case o.status when 'RESERVED' then o.expires_at else o.pay_by end)
                  <= clock_timestamp()
          order by (case o.status when 'RESERVED' then o.expires_at else o.pay_by end)
          limit ? for no key update skip locked"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = query::<OrderSql, _>(sql, (bind::<BigInt, _>(limit),));
    let orders: Vec<Order> =
        session.rows(read).await?.into_iter().map(rows::order).collect::<Result<_, _>>()?;
    if orders.is_empty() {
        return Ok(Expired { next_in: next_deadline(session).await?, ..Expired::default() });
    }
    let command = |order: &Order| Command { id: order.id, user: None, act: Act::Expire };
    let commands: Vec<_> = orders.iter().map(command).collect();
    let carried = carry_out(session, orders, &commands).await?;
    Ok(Expired { count: commands.len(), announcement: carried.announcement, next_in: None })
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

/// Carries `commands` out on their orders, which are locked.
async fn carry_out(
    session: &Session,
    orders: Vec<Order>,
    commands: &[Command],
) -> Result<Carried, Fault> {
    let products = products_to_lock(&orders, commands);
    let counts = view::lock(session, products).await?;
    let late = late_payments(&orders, commands);
    let view = view::read_standing(session, orders, &late, &counts).await?;
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
    let notices = advance.notices;
    let dead_letters = Vec::new();
    let announcement = Announcement { due: Some(due), at, orders, notices, levels, dead_letters };
    Ok(Carried { results: advance.results, announcement: Some(announcement) })
}

/// The products of which a command may move units.
fn products_to_lock(orders: &[Order], commands: &[Command]) -> Vec<i64> {
    let moving: HashSet<TrackingId> = commands
        .iter()
        .filter(|command| !matches!(command.act, Act::Checkout { .. } | Act::Fulfil))
        .map(|command| command.id)
        .collect();
    let moved = orders.iter().filter(|order| moving.contains(&order.id));
    let products: BTreeSet<i64> =
        moved.filter_map(|order| Some(order.terms.as_ref()?.product_id.0)).collect();
    Vec::from_iter(products)
}

/// Payments that come, or in this batch may come, after their hold has ended, as the purchases they
/// would be: what they need to be judged is read for these only.
fn late_payments(orders: &[Order], commands: &[Command]) -> Vec<Purchase> {
    let ended = |order: &Order| matches!(order.status, Status::Expired | Status::Failed);
    let may_be_late = |order: &&Order| {
        let mut theirs = commands.iter().filter(|command| command.id == order.id);
        let paid = theirs.clone().any(|command| matches!(command.act, Act::Paid { .. }));
        paid && (ended(order) || theirs.nth(1).is_some())
    };
    let purchase = |order: &Order| {
        Some(Purchase {
            id: order.id,
            terms: order.terms.clone()?,
            kind: Kind::Buy,
            accepted_at: order.accepted_at,
            keyed: None,
            traceparent: None,
            replayed: false,
        })
    };
    // Sweeps are large and carry no payments.
    if !commands.iter().any(|command| matches!(command.act, Act::Paid { .. })) {
        return Vec::new();
    }
    orders.iter().filter(may_be_late).filter_map(purchase).collect()
}
