//! What operators see of dead letters and do with them.
//!
//! A letter is open until its order leaves `PARKED`, in the transaction in which it does, or until it
//! is discarded.

use std::collections::HashMap;

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::errors::Fault;
use super::session::Session;
use super::statement::{bind, command, query};
use super::{advance, audit_log, reads, rows};
use crate::domain::{Act, Actor, Command, Order, Refusal, Status, TrackingId};
use crate::ports::{
    Announcement, DeadLetter, Deed, KeptLetter, LISTED_BYTES_MAX, LedgerError, LetterId,
    LetterMoved, LetterQuery, LetterRef, LettersWaiting,
};

/// The columns of a letter but its body, in the order of [`LetterSql`].
macro_rules! letter_columns {
    ($body:literal) => {
        concat!(
            "select id, order_id, ",
            $body,
            ", octet_length(body)::bigint, error, attempts, at, replayed_at, closed_at
             from dead_letters "
        )
    };
}

type LetterSql = (
    BigInt,
    Nullable<SqlUuid>,
    Binary,
    BigInt,
    Text,
    BigInt,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
);
type LetterRow = (
    i64,
    Option<Uuid>,
    Vec<u8>,
    i64,
    String,
    i64,
    PgTimestamp,
    Option<PgTimestamp>,
    Option<PgTimestamp>,
);

/// Reads a page, oldest first.
pub(super) async fn list(session: &Session, asked: &LetterQuery) -> Result<Vec<KeptLetter>, Fault> {
    macro_rules! page {
        ($condition:literal) => {
            concat!(
                letter_columns!("case when octet_length(body) <= ? then body else ''::bytea end"),
                "where id > ? ",
                $condition,
                " order by id limit ?"
            )
        };
    }
    let sql = if asked.open { page!("and closed_at is null") } else { page!("") };
    let binds = (
        bind::<BigInt, _>(i64::try_from(LISTED_BYTES_MAX).unwrap_or(i64::MAX)),
        bind::<BigInt, _>(asked.after.0),
        bind::<BigInt, _>(i64::try_from(asked.limit).unwrap_or(i64::MAX)),
    );
    let found = session.rows(query::<LetterSql, _>(sql, binds)).await?;
    with_orders(session, found).await
}

/// Reads one.
pub(super) async fn find(
    session: &Session,
    letter: LetterRef,
) -> Result<Option<KeptLetter>, Fault> {
    let found = match letter {
        LetterRef::Id(id) => {
            let sql = concat!(letter_columns!("body"), "where id = ?");
            session.rows(query::<LetterSql, _>(sql, (bind::<BigInt, _>(id.0),))).await?
        }
        LetterRef::Order(id) => {
            let sql =
                concat!(letter_columns!("body"), "where order_id = ? order by id desc limit 1");
            session.rows(query::<LetterSql, _>(sql, (bind::<SqlUuid, _>(id.0),))).await?
        }
    };
    Ok(with_orders(session, found).await?.pop())
}

async fn one(session: &Session, letter: LetterRef) -> Result<KeptLetter, Fault> {
    find(session, letter).await?.ok_or_else(|| LedgerError::LetterNotFound.into())
}

async fn with_orders(session: &Session, found: Vec<LetterRow>) -> Result<Vec<KeptLetter>, Fault> {
    let ids: Vec<_> = found.iter().filter_map(|row| row.1).map(TrackingId).collect();
    let orders = if ids.is_empty() { Vec::new() } else { reads::orders(session, &ids).await? };
    let orders: HashMap<_, _> = orders.into_iter().map(|order| (order.id, order)).collect();
    Ok(found.into_iter().map(|row| kept(row, &orders)).collect())
}

fn kept(row: LetterRow, orders: &HashMap<TrackingId, Order>) -> KeptLetter {
    let (id, order_id, body, bytes, error, attempts, at, replayed_at, closed_at) = row;
    let order_id = order_id.map(TrackingId);
    KeptLetter {
        id: LetterId(id),
        order: order_id.and_then(|id| orders.get(&id).cloned()),
        letter: DeadLetter { order_id, body, error },
        bytes: usize::try_from(bytes).unwrap_or_default(),
        attempts: rows::to_u32(attempts),
        at: rows::from_pg(at),
        replayed_at: replayed_at.map(rows::from_pg),
        closed_at: closed_at.map(rows::from_pg),
    }
}

/// Whether the letters of these bodies are open.
pub(super) async fn open(
    session: &Session,
    bodies: &[Vec<u8>],
) -> Result<Vec<Option<bool>>, Fault> {
    let digests: Vec<Vec<u8>> = bodies.iter().map(|body| Sha256::digest(body).to_vec()).collect();
    let sql = "
        select sha256(body), closed_at is null from dead_letters where sha256(body) = any(?)";
    let read = query::<(Binary, Bool), _>(sql, (bind::<Array<Binary>, _>(digests.clone()),));
    let found: Vec<(Vec<u8>, bool)> = session.rows(read).await?;
    let found: HashMap<_, _> = found.into_iter().collect();
    Ok(digests.iter().map(|digest| found.get(digest).copied()).collect())
}

/// Counts the open ones.
pub(super) async fn waiting(session: &Session) -> Result<LettersWaiting, Fault> {
    let sql = "
        select count(*),
            coalesce((extract(epoch from clock_timestamp() - min(at)) * 1000)::bigint, 0),
            (select max(closed_at) from dead_letters)
        from dead_letters where closed_at is null";
    let read = query::<(BigInt, BigInt, Nullable<Timestamptz>), _>(sql, ());
    let (count, oldest_ms, closed): (i64, i64, Option<PgTimestamp>) = session.row(read).await?;
    let count = u64::try_from(count).unwrap_or_default();
    Ok(LettersWaiting { count, oldest_ms, last_closed_at: closed.map(rows::from_pg) })
}

/// Notes that a letter is replayed.
pub(super) async fn replay(
    session: &Session,
    letter: LetterRef,
    by: &Actor,
) -> Result<LetterMoved, Fault> {
    let found = one(session, letter).await?;
    if !found.is_to_be_replayed()? {
        return Ok(LetterMoved { letter: found, changed: false, announcement: None });
    }
    let sql = "update dead_letters set replayed_at = clock_timestamp()
               where id = ? and closed_at is null";
    if session.execute(command(sql, (bind::<BigInt, _>(found.id.0),))).await? == 0 {
        return Err(Fault::Again("the letter was closed meanwhile".into()));
    }
    audit_log::note(session, by, &Deed::letter_replayed(&found)).await?;
    let letter = one(session, LetterRef::Id(found.id)).await?;
    Ok(LetterMoved { letter, changed: true, announcement: None })
}

/// Gives a letter up, and its order. The order is locked before the letter, as everywhere.
pub(super) async fn discard(
    session: &Session,
    letter: LetterRef,
    by: &Actor,
) -> Result<LetterMoved, Fault> {
    let found = one(session, letter).await?;
    let order = found.order.as_ref().map(|order| order.id);
    let announcement = match order {
        Some(id) => discard_order(session, id).await?,
        None => None,
    };
    let changed = if order.is_some() { announcement.is_some() } else { found.closed_at.is_none() };
    if !changed {
        return Ok(LetterMoved { letter: found, changed, announcement });
    }
    let sql = "update dead_letters set closed_at = clock_timestamp()
               where closed_at is null and (id = ? or order_id = ?)";
    let binds = (bind::<BigInt, _>(found.id.0), bind::<Nullable<SqlUuid>, _>(order.map(|id| id.0)));
    if session.execute(command(sql, binds)).await? == 0 {
        return Err(Fault::Again("the letter was closed meanwhile".into()));
    }
    audit_log::note(session, by, &Deed::letter_discarded(&found)).await?;
    let letter = one(session, LetterRef::Id(found.id)).await?;
    Ok(LetterMoved { letter, changed, announcement })
}

async fn discard_order(session: &Session, id: TrackingId) -> Result<Option<Announcement>, Fault> {
    let command = Command { id, user: None, act: Act::Discard, by: None };
    let carried = advance::advance(session, &[command]).await?;
    match carried.results.into_iter().next() {
        Some(Err(Refusal::Invalid { from, .. })) => Err(LedgerError::LetterDecided(from).into()),
        Some(Err(_)) => Err(LedgerError::LetterDecided(Status::Rejected).into()),
        _ => Ok(carried.announcement),
    }
}

/// Closes the letters of orders that are not parked any more.
pub(super) async fn close(session: &Session, orders: Vec<Uuid>) -> Result<(), Fault> {
    if orders.is_empty() {
        return Ok(());
    }
    let sql = "update dead_letters set closed_at = clock_timestamp()
               where order_id = any(?) and closed_at is null";
    session.execute(command(sql, (bind::<Array<SqlUuid>, _>(orders),))).await.map(drop)
}
