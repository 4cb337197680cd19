//! Realigning those who saw a later ledger than this one.
//!
//! Gate, boards and listeners to events take only versions above those they know. After the database was
//! restored to an earlier point its versions are lower than what was announced, and nobody would believe it.
//! So all that has a version gets one above whatever was announced: the present moment, in milliseconds
//! since 1970. Versions are counted, one for each commit, so they come nowhere near it by themselves; and
//! from one realignment to the next they fall behind it, unless a product changes more than a thousand
//! times a second for all of that time. No record is needed of what was announced, which a second restore
//! of the same backup would lose again. What the gate knows is heeded too, in case a clock was wrong.
//!
//! In 2^53 milliseconds, up to which JSON and Lua count exactly, it is the year 287396.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::audit_log;
use super::errors::Fault;
use super::ledger::{PostgresLedger, to_its_end};
use super::session::Session;
use super::statement::{bind, command, query};
use super::transaction::transaction;
use super::write::{self, Owed};
use crate::domain::{Actor, Notice, NoticeEvent, ProductId, SaleId};
use crate::ports::{Deed, LedgerError};

/// Notices in one outbox row.
const NOTICES_MAX: usize = 1_000;

/// A version that was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Raised {
    /// What it was.
    pub from: i64,
    /// What it is.
    pub to: i64,
}

/// The inventory version of a product that was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RaisedProduct {
    /// The product.
    pub product_id: ProductId,
    /// Its version.
    #[serde(flatten)]
    pub version: Raised,
}

/// What a realignment came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Realigned {
    /// Every product, by number.
    pub products: Vec<RaisedProduct>,
    /// The catalogue's version.
    pub catalogue: Raised,
    /// Open holds, pending payments and parked orders whose version was raised.
    pub orders: usize,
    /// The least number that the next product, sale, dead letter and outbox row get.
    #[serde(rename = "nextId")]
    pub next_id: i64,
}

impl PostgresLedger {
    /// Raises all versions above those that were ever announced, and above `seen`, what the gate knows of
    /// each product. Changes no count and no order otherwise; doing it again raises them again.
    pub async fn realign(
        &self,
        seen: &BTreeMap<ProductId, i64>,
        by: &Actor,
    ) -> Result<Realigned, LedgerError> {
        let (pool, seen, by) = (self.pool.clone(), seen.clone(), by.clone());
        to_its_end(async move { transaction!(pool, |session| realign(session, &seen, &by)) }).await
    }
}

async fn realign(
    session: &Session,
    seen: &BTreeMap<ProductId, i64>,
    by: &Actor,
) -> Result<Realigned, Fault> {
    session.allow(Duration::from_secs(60)).await?;
    let sql = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
    let now: i64 = session.row(query::<BigInt, _>(sql, ())).await?;
    let orders = raise_orders(session, now).await?;
    let products = raise_products(session, seen, now).await?;
    let next_id = skip_numbers(session, now / 1_000).await?;
    let catalogue = raise_catalogue(session, now).await?;
    let realigned = Realigned { products, catalogue, orders, next_id };
    let raised = serde_json::json!(realigned.catalogue);
    let deed = Deed::realigned(realigned.products.len(), realigned.orders, &raised);
    audit_log::note(session, by, &deed).await?;
    for part in news(session, &realigned.products).await?.chunks(NOTICES_MAX) {
        write::owe(session, &Owed { notices: part, ..Owed::default() }).await?;
    }
    Ok(realigned)
}

/// Orders that will move on: open holds, pending payments, parked orders. Those that are sold are millions,
/// and seldom move.
async fn raise_orders(session: &Session, now: i64) -> Result<usize, Fault> {
    let open = "
        select o.id from orders o where o.status in ('RESERVED', 'PENDING')
        union
        select order_id from dead_letters where closed_at is null and order_id is not null";
    let ids: Vec<Uuid> = session.rows(query::<SqlUuid, _>(open, ())).await?;
    let lock = "select from orders where id = any(?) order by id for no key update";
    session.execute(command(lock, (bind::<Array<SqlUuid>, _>(ids.clone()),))).await?;
    let raise = "update orders set version = greatest(version + 1, ?) where id = any(?)";
    let binds = (bind::<BigInt, _>(now), bind::<Array<SqlUuid>, _>(ids));
    session.execute(command(raise, binds)).await
}

async fn raise_products(
    session: &Session,
    seen: &BTreeMap<ProductId, i64>,
    now: i64,
) -> Result<Vec<RaisedProduct>, Fault> {
    let lock = "select product_id, version from inventory order by product_id for no key update";
    let found: Vec<(i64, i64)> = session.rows(query::<(BigInt, BigInt), _>(lock, ())).await?;
    let raised = |(id, from): (i64, i64)| {
        let product_id = ProductId(id);
        let known = seen.get(&product_id).copied().unwrap_or_default().max(from);
        RaisedProduct { product_id, version: Raised { from, to: now.max(known + 1) } }
    };
    let products: Vec<_> = found.into_iter().map(raised).collect();
    let raise = "
        update inventory set version = d.version from unnest(?, ?) as d (product_id, version)
        where inventory.product_id = d.product_id";
    let (ids, versions): (Vec<i64>, Vec<i64>) =
        products.iter().map(|raised| (raised.product_id.0, raised.version.to)).unzip();
    let binds = (bind::<Array<BigInt>, _>(ids), bind::<Array<BigInt>, _>(versions));
    session.execute(command(raise, binds)).await?;
    Ok(products)
}

/// Numbers that were given out after the restore point are not given out again: gate, boards and listeners
/// would take a new product for the one that is gone, and a purchase of that, which waits in the queue or is
/// retried, would buy it. They go on from the present second.
async fn skip_numbers(session: &Session, now_s: i64) -> Result<i64, Fault> {
    let sql = "
        select max(setval(s, greatest(nextval(s), ?), false))
        from unnest(array['products', 'sales', 'dead_letters', 'outbox']) as t,
            lateral (select pg_get_serial_sequence(t, 'id')::regclass as s) as numbers";
    session.row(query::<BigInt, _>(sql, (bind::<BigInt, _>(now_s),))).await
}

async fn raise_catalogue(session: &Session, now: i64) -> Result<Raised, Fault> {
    let lock =
        "select value::bigint from settings where name = 'catalogue_version' for no key update";
    let from: i64 = session.row(query::<BigInt, _>(lock, ())).await?;
    let to = now.max(from + 1);
    let raise = "update settings set value = ? where name = 'catalogue_version'";
    session.execute(command(raise, (bind::<Text, _>(to.to_string()),))).await?;
    Ok(Raised { from, to })
}

/// Listeners look again at every product and at every sale that is not over.
async fn news(session: &Session, products: &[RaisedProduct]) -> Result<Vec<Notice>, Fault> {
    let sql = "select product_id, id from sales where ends_at > statement_timestamp() order by id";
    let sales: Vec<(i64, i64)> = session.rows(query::<(BigInt, BigInt), _>(sql, ())).await?;
    let product =
        |raised: &RaisedProduct| Notice::of_product(raised.product_id, NoticeEvent::ProductChanged);
    let sale = |(product_id, id): (i64, i64)| Notice {
        product_id: ProductId(product_id),
        sale_id: Some(SaleId(id)),
        event: NoticeEvent::SaleChanged,
    };
    Ok(products.iter().map(product).chain(sales.into_iter().map(sale)).collect())
}
