//! Messages that could not be processed.

use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use super::errors::Fault;
use super::rows;
use super::session::Session;
use super::statement::{bind, command, query};
use super::write::{self, Owed};
use crate::domain::Order;
use crate::ports::{Announcement, DeadLetter, OrderChange};

/// Parks the order of a letter; see [`crate::ports::Ledger::park`].
pub(super) async fn park(
    session: &Session,
    letter: &DeadLetter,
) -> Result<Option<Announcement>, Fault> {
    let order = letter.order_id.map(Order::parked);
    if let Some(order) = &order
        && insert_new(session, order).await? == 0
    {
        // It has an outcome, or is parked already: then a replay of it has failed.
        return note_failure(session, letter).await.map(|()| None);
    }
    let (letter_id, is_new) = keep_new(session, letter).await?;
    if order.is_none() && !is_new {
        return Ok(None);
    }
    let orders: Vec<_> = order.into_iter().map(OrderChange::settled).collect();
    let dead_letters = vec![letter_id];
    let (due, at) =
        write::owe(session, &Owed { orders: &orders, dead_letters, ..Owed::default() }).await?;
    let dead_letters = vec![letter.clone()];
    Ok(Some(Announcement { due: Some(due), at, orders, dead_letters, ..Announcement::default() }))
}

/// Inserts the row of a parked order, of which only what its ID says is known.
async fn insert_new(session: &Session, order: &Order) -> Result<usize, Fault> {
    let sql = "
        insert into orders (id, status, accepted_at, version) values (?, ?, ?, ?)
        on conflict do nothing";
    let binds = (
        bind::<SqlUuid, _>(order.id.0),
        bind::<Text, _>(order.status.as_str()),
        bind::<Timestamptz, _>(rows::to_pg(order.accepted_at)),
        bind::<BigInt, _>(order.version),
    );
    session.execute(command(sql, binds)).await
}

/// Notes why a replay has failed, and how many attempts it took.
async fn note_failure(session: &Session, letter: &DeadLetter) -> Result<(), Fault> {
    let sql = "
        with tried as (delete from settle_attempts where order_id = ? returning attempts)
        update dead_letters set error = ?, replayed_at = null,
            attempts = dead_letters.attempts + coalesce((select attempts from tried), 0)
        where sha256(body) = sha256(?) and closed_at is null and replayed_at is not null";
    let binds = (
        bind::<Nullable<SqlUuid>, _>(letter.order_id.map(|id| id.0)),
        bind::<Text, _>(storable(&letter.error)),
        bind::<Binary, _>(letter.body.as_slice()),
    );
    session.execute(command(sql, binds)).await.map(drop)
}

/// Keeps a letter, with the attempts that were made. The same body again is the same letter;
/// answers its ID and whether it is new.
async fn keep_new(session: &Session, letter: &DeadLetter) -> Result<(i64, bool), Fault> {
    // A row that was updated carries the ID of the updating transaction in xmax, a new one zero.
    let sql = "
        with tried as (delete from settle_attempts where order_id = ? returning attempts)
        insert into dead_letters (order_id, body, error, attempts)
        values (?, ?, ?, coalesce((select attempts from tried), 0))
        on conflict (sha256(body))
        do update set order_id = coalesce(excluded.order_id, dead_letters.order_id),
            closed_at = case when excluded.order_id is null then dead_letters.closed_at end
        returning id, xmax = 0";
    let order_id = letter.order_id.map(|id| id.0);
    let binds = (
        bind::<Nullable<SqlUuid>, _>(order_id),
        bind::<Nullable<SqlUuid>, _>(order_id),
        bind::<Binary, _>(letter.body.as_slice()),
        bind::<Text, _>(storable(&letter.error)),
    );
    session.row(query::<(BigInt, Bool), _>(sql, binds)).await
}

/// Keeps a letter that has no order.
pub(super) async fn keep(session: &Session, letter: &DeadLetter) -> Result<(), Fault> {
    let sql = "
        insert into dead_letters (order_id, body, error) values (?, ?, ?)
        on conflict (sha256(body)) do nothing";
    let binds = (
        bind::<Nullable<SqlUuid>, _>(letter.order_id.map(|id| id.0)),
        bind::<Binary, _>(letter.body.as_slice()),
        bind::<Text, _>(storable(&letter.error)),
    );
    session.execute(command(sql, binds)).await.map(drop)
}

/// PostgreSQL's texts cannot hold NUL, and an error may quote the message that caused it: nothing
/// may keep a letter from being kept.
fn storable(error: &str) -> String {
    error.replace('\0', "\u{fffd}")
}
