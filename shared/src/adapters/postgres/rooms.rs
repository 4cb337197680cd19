//! The book of waiting rooms.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};

use super::errors::Fault;
use super::ledger::{PostgresLedger, to_its_end};
use super::rows::{from_pg, to_pg};
use super::session::Session;
use super::statement::{bind, command, query};
use super::transaction::transaction;
use crate::domain::room::Draw;
use crate::domain::{SaleId, Timestamp};
use crate::ports::LedgerError;
use crate::ports::rooms::{RoomBook, RoomCall, RoomPage};

type PageSql = (BigInt, BigInt, Nullable<BigInt>, Nullable<Text>);
type PageRow = (i64, i64, Option<i64>, Option<String>);

async fn reserve(session: &Session, sale: SaleId, count: u64) -> Result<RoomPage, Fault> {
    let sql = "
        insert into waiting_rooms (sale_id, reserved) values (?, ?)
        on conflict (sale_id) do update set reserved = waiting_rooms.reserved + excluded.reserved
        returning reserved, admitted, early, seed";
    let binds = (bind::<BigInt, _>(sale.0), bind::<BigInt, _>(signed(count)));
    let (reserved, admitted, early, seed): PageRow =
        session.row(query::<PageSql, _>(sql, binds)).await?;
    let sql = "select first, beyond, at from waiting_room_calls where sale_id = ? order by at";
    let read = query::<(BigInt, BigInt, Timestamptz), _>(sql, (bind::<BigInt, _>(sale.0),));
    let calls: Vec<(i64, i64, _)> = session.rows(read).await?;
    Ok(RoomPage {
        reserved: reserved.unsigned_abs(),
        admitted: admitted.unsigned_abs(),
        draw: draw_of(early, seed)?,
        calls: calls
            .into_iter()
            .map(|(first, beyond, at)| RoomCall {
                from: first.unsigned_abs(),
                to: beyond.unsigned_abs(),
                at_ms: from_pg(at).millis(),
            })
            .collect(),
    })
}

async fn call(
    session: &Session,
    sale: SaleId,
    call: RoomCall,
    forget_before_ms: i64,
) -> Result<(), Fault> {
    let at = |ms| to_pg(Timestamp::from_millis(ms));
    let sql = "
        with page as (
            update waiting_rooms set admitted = greatest(admitted, ?) where sale_id = ?
        ), forgotten as (
            delete from waiting_room_calls where sale_id = ? and at < ?
        )
        insert into waiting_room_calls (sale_id, first, beyond, at) values (?, ?, ?, ?)";
    let binds = (
        bind::<BigInt, _>(signed(call.to)),
        bind::<BigInt, _>(sale.0),
        bind::<BigInt, _>(sale.0),
        bind::<Timestamptz, _>(at(forget_before_ms)),
        bind::<BigInt, _>(sale.0),
        bind::<BigInt, _>(signed(call.from)),
        bind::<BigInt, _>(signed(call.to)),
        bind::<Timestamptz, _>(at(call.at_ms)),
    );
    session.execute(command(sql, binds)).await.map(drop)
}

async fn shuffle(session: &Session, sale: SaleId, draw: &Draw) -> Result<Draw, Fault> {
    let sql = "
        update waiting_rooms set early = coalesce(early, ?), seed = coalesce(seed, ?)
        where sale_id = ?
        returning early, seed";
    let binds = (
        bind::<BigInt, _>(signed(draw.count)),
        bind::<Text, _>(format!("{:032x}", u128::from_be_bytes(draw.seed))),
        bind::<BigInt, _>(sale.0),
    );
    let read = query::<(Nullable<BigInt>, Nullable<Text>), _>(sql, binds);
    let (early, seed): (Option<i64>, Option<String>) = session.row(read).await?;
    draw_of(early, seed)?.ok_or_else(|| Fault::outage("a waiting room without its shuffle"))
}

fn draw_of(early: Option<i64>, seed: Option<String>) -> Result<Option<Draw>, Fault> {
    let Some((early, seed)) = early.zip(seed) else { return Ok(None) };
    let seed = u128::from_str_radix(&seed, 16);
    let seed = seed.map_err(|_| Fault::outage("a waiting room's seed is none"))?;
    Ok(Some(Draw { count: early.unsigned_abs(), seed: seed.to_be_bytes() }))
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[async_trait]
impl RoomBook for PostgresLedger {
    async fn reserve(&self, sale: SaleId, count: u64) -> Result<RoomPage, LedgerError> {
        let pool = self.pool.clone();
        to_its_end(async move { transaction!(pool, |session| reserve(session, sale, count)) }).await
    }

    async fn call(
        &self,
        sale: SaleId,
        called: RoomCall,
        forget_before_ms: i64,
    ) -> Result<(), LedgerError> {
        let pool = self.pool.clone();
        to_its_end(async move {
            transaction!(pool, |session| call(session, sale, called, forget_before_ms))
        })
        .await
    }

    async fn shuffle(&self, sale: SaleId, draw: &Draw) -> Result<Draw, LedgerError> {
        let (pool, draw) = (self.pool.clone(), *draw);
        to_its_end(async move { transaction!(pool, |session| shuffle(session, sale, &draw)) }).await
    }
}
