//! Sales: operators' writes, under the inventory lock of their product like every change of what is
//! for sale.

use std::time::Duration;

use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};

use super::catalogue::{
    announce, find, raise_catalogue_version, raise_version, read as read_product, recount_buyers,
};
use super::errors::Fault;
use super::rows::{self, SaleSql, sale_columns};
use super::session::Session;
use super::statement::{bind, command, query};
use super::{audit_log, reads, view};
use crate::domain::{Actor, Money, Notice, NoticeEvent, Phase, ProductId, Sale, SaleId, Timestamp};
use crate::ports::{Announcement, Deed, LedgerError, NewSale, SaleChange, SaleQuery};

pub(super) async fn create(
    session: &Session,
    new: &NewSale,
    by: &Actor,
) -> Result<(Sale, Announcement), Fault> {
    let product_id = find(session, &new.product).await?;
    view::lock(session, vec![product_id.0]).await?;
    let product = read_product(session, product_id).await?;
    let mut sale = Sale {
        id: SaleId(0),
        product_id,
        price: Money { minor: new.price_minor, ..product.price },
        starts_at: new.starts_at,
        ends_at: new.ends_at,
        per_user_limit: new.per_user_limit,
        hold_seconds: new.hold_seconds,
        quantity: new.quantity,
        taken: 0,
        cancelled: false,
        waiting_room: new.waiting_room,
    };
    check(session, &sale).await?;
    let sql = "
        insert into sales (
            product_id, price_minor, starts_at, ends_at, per_user_limit, hold_seconds, quantity,
            waiting_room
        )
        values (?, ?, ?, ?, ?, ?, ?, ?::jsonb)
        returning id";
    let binds = (
        bind::<BigInt, _>(product_id.0),
        bind::<BigInt, _>(sale.price.minor),
        bind::<Timestamptz, _>(rows::to_pg(sale.starts_at)),
        bind::<Timestamptz, _>(rows::to_pg(sale.ends_at)),
        bind::<Nullable<BigInt>, _>(sale.per_user_limit.map(i64::from)),
        bind::<Nullable<BigInt>, _>(sale.hold_seconds.map(i64::from)),
        bind::<Nullable<BigInt>, _>(sale.quantity),
        bind::<Nullable<Text>, _>(room(&sale)),
    );
    sale.id = SaleId(session.row(query::<BigInt, _>(sql, binds)).await?);
    audit_log::note(session, by, &Deed::sale_planned(&sale)).await?;
    let announcement = written(session, &sale, NoticeEvent::SaleCreated).await?;
    Ok((sale, announcement))
}

pub(super) async fn change(
    session: &Session,
    id: SaleId,
    change: &SaleChange,
    by: &Actor,
) -> Result<(Sale, Announcement), Fault> {
    let old = lock(session, id).await?;
    let now = reads::clock(session).await?;
    let sale = change.applied_to(&old, now)?;
    check(session, &sale).await?;
    let limits = (old.per_user_limit, sale.per_user_limit);
    if let (None, Some(_)) = limits {
        recount_buyers(session, sale.product_id, Some(id)).await?;
    }
    let sale = Sale { taken: taken(session, &old, &sale).await?, ..sale };
    if sale.quantity.is_some_and(|quantity| quantity < sale.taken) {
        return Err(LedgerError::SaleTaken { taken: sale.taken }.into());
    }
    let sql = "
        update sales set price_minor = ?, starts_at = ?, ends_at = ?, per_user_limit = ?,
            hold_seconds = ?, quantity = ?, taken = ?, waiting_room = ?::jsonb
        where id = ?";
    let binds = (
        bind::<BigInt, _>(sale.price.minor),
        bind::<Timestamptz, _>(rows::to_pg(sale.starts_at)),
        bind::<Timestamptz, _>(rows::to_pg(sale.ends_at)),
        bind::<Nullable<BigInt>, _>(sale.per_user_limit.map(i64::from)),
        bind::<Nullable<BigInt>, _>(sale.hold_seconds.map(i64::from)),
        bind::<Nullable<BigInt>, _>(sale.quantity),
        bind::<BigInt, _>(sale.taken),
        bind::<Nullable<Text>, _>(room(&sale)),
        bind::<BigInt, _>(id.0),
    );
    session.execute(command(sql, binds)).await?;
    audit_log::note(session, by, &Deed::sale_changed(&sale)).await?;
    let announcement = written(session, &sale, NoticeEvent::SaleChanged).await?;
    Ok((sale, announcement))
}

pub(super) async fn cancel(
    session: &Session,
    id: SaleId,
    by: &Actor,
) -> Result<(Sale, Option<Announcement>), Fault> {
    let old = lock(session, id).await?;
    if old.cancelled {
        return Ok((old, None));
    }
    let now = reads::clock(session).await?;
    if old.phase(now) == Phase::Ended {
        return Err(LedgerError::SaleFixed(Phase::Ended).into());
    }
    let sql = "update sales set cancelled_at = clock_timestamp() where id = ?";
    session.execute(command(sql, (bind::<BigInt, _>(id.0),))).await?;
    let sale = Sale { cancelled: true, ..old };
    audit_log::note(session, by, &Deed::sale_called_off(&sale)).await?;
    let announcement = written(session, &sale, NoticeEvent::SaleCancelled).await?;
    Ok((sale, Some(announcement)))
}

pub(super) async fn list(
    session: &Session,
    asked: &SaleQuery,
) -> Result<(Timestamp, Vec<Sale>), Fault> {
    let sql = concat!(
        "select ",
        sale_columns!(),
        " from sales s join products p on p.id = s.product_id, (select ?) asked (at)
          where s.id > ? and case ?
              when 'upcoming' then s.cancelled_at is null and s.starts_at > asked.at
              when 'live' then s.cancelled_at is null
                  and s.starts_at <= asked.at and s.ends_at > asked.at
              when 'ended' then s.cancelled_at is null and s.ends_at <= asked.at
              when 'cancelled' then s.cancelled_at is not null
              else true
          end
          order by s.id limit ?"
    );
    // The moment that is answered is the one that was asked about, or a sale listed as live could be
    // shown as upcoming.
    let now = reads::clock(session).await?;
    let binds = (
        bind::<Timestamptz, _>(rows::to_pg(now)),
        bind::<BigInt, _>(asked.after.0),
        bind::<Text, _>(asked.phase.map_or("", Phase::as_str)),
        bind::<BigInt, _>(i64::try_from(asked.limit).unwrap_or(i64::MAX)),
    );
    let found = session.rows(query::<SaleSql, _>(sql, binds)).await?;
    let sales = found.into_iter().map(rows::sale).collect::<Result<_, _>>()?;
    Ok((now, sales))
}

/// Sales looked at in one go: hundreds may open in the same second.
const PHASES_MAX: i64 = 1_000;

pub(super) async fn note_phases(session: &Session) -> Result<Option<Announcement>, Fault> {
    // A sale that nobody noticed opening has closed by now, maybe: each step is told in turn.
    // Materialized, or the planner might run the locking part once per row.
    let sql = "
        with due as materialized (
            select id from sales
            where announced <> 'ended' and cancelled_at is null
                and (case announced when 'upcoming' then starts_at else ends_at end)
                    <= clock_timestamp()
            limit ? for no key update skip locked
        )
        update sales set announced = case announced when 'upcoming' then 'live' else 'ended' end
        from due where sales.id = due.id
        returning sales.id, product_id, announced";
    let update = query::<(BigInt, BigInt, Text), _>(sql, (bind::<BigInt, _>(PHASES_MAX),));
    let mut noted: Vec<(i64, i64, String)> = session.rows(update).await?;
    noted.sort_unstable();
    if noted.is_empty() {
        return Ok(None);
    }
    let notice = |(sale, product, phase): &(i64, i64, String)| Notice {
        product_id: ProductId(*product),
        sale_id: Some(SaleId(*sale)),
        event: if phase == "live" { NoticeEvent::SaleStarted } else { NoticeEvent::SaleEnded },
    };
    let notices = noted.iter().map(notice).collect();
    // The counts tell the boards what the sale that just opened has left.
    let products: Vec<ProductId> = noted.iter().map(|(_, id, _)| ProductId(*id)).collect();
    let levels = reads::stock(session, &products).await?;
    announce(session, notices, levels).await.map(Some)
}

/// The rules of a waiting room as they are stored.
fn room(sale: &Sale) -> Option<String> {
    serde_json::to_string(&sale.waiting_room?).ok()
}

/// Locks the inventory of the sale's product, then reads the sale.
async fn lock(session: &Session, id: SaleId) -> Result<Sale, Fault> {
    let sql = "select product_id from sales where id = ?";
    let found: Vec<i64> = session.rows(query::<BigInt, _>(sql, (bind::<BigInt, _>(id.0),))).await?;
    let product = found.first().ok_or(LedgerError::SaleNotFound)?;
    view::lock(session, vec![*product]).await?;
    let sql = concat!(
        "select ",
        sale_columns!(),
        " from sales s join products p on p.id = s.product_id where s.id = ?"
    );
    rows::sale(session.row(query::<SaleSql, _>(sql, (bind::<BigInt, _>(id.0),))).await?)
}

/// What the tables check too, with an answer that says which sale is in the way.
async fn check(session: &Session, sale: &Sale) -> Result<(), Fault> {
    if sale.starts_at >= sale.ends_at {
        return Err(LedgerError::SaleBackwards.into());
    }
    let sql = "
        select id from sales
        where product_id = ? and id <> ? and cancelled_at is null
            and starts_at < ? and ends_at > ?
        order by starts_at limit 1";
    let binds = (
        bind::<BigInt, _>(sale.product_id.0),
        bind::<BigInt, _>(sale.id.0),
        bind::<Timestamptz, _>(rows::to_pg(sale.ends_at)),
        bind::<Timestamptz, _>(rows::to_pg(sale.starts_at)),
    );
    let others: Vec<i64> = session.rows(query::<BigInt, _>(sql, binds)).await?;
    match others.first() {
        Some(other) => Err(LedgerError::SaleOverlap(SaleId(*other)).into()),
        None => Ok(()),
    }
}

/// Units that the sale has sold and holds. Kept only where there is a quantity: one that is set anew
/// counts all orders, which may take longer than a settle.
async fn taken(session: &Session, old: &Sale, new: &Sale) -> Result<i64, Fault> {
    if old.quantity.is_some() || new.quantity.is_none() {
        return Ok(if new.quantity.is_some() { old.taken } else { 0 });
    }
    session.allow(Duration::from_secs(60)).await?;
    session.batch("set local enable_seqscan = on").await?;
    let sql = "
        select coalesce(sum(quantity), 0)::bigint from orders
        where product_id = ? and sale_id = ?
            and status in ('RESERVED', 'PENDING', 'CONFIRMED', 'FULFILLED')";
    let binds = (bind::<BigInt, _>(new.product_id.0), bind::<BigInt, _>(new.id.0));
    session.row(query::<BigInt, _>(sql, binds)).await
}

/// After a write: versions rise, and the news is owed.
async fn written(
    session: &Session,
    sale: &Sale,
    event: NoticeEvent,
) -> Result<Announcement, Fault> {
    let level = raise_version(session, sale.product_id, 0).await?;
    raise_catalogue_version(session).await?;
    let notice = Notice { product_id: sale.product_id, sale_id: Some(sale.id), event };
    announce(session, vec![notice], vec![level]).await
}
