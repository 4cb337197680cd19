//! What the ledger says, read before the decision.
//!
//! The locking read is a statement of its own, awaited before the others: at READ COMMITTED each
//! statement sees what was committed when it began, so what is read after the lock is what the
//! last holder of the lock left.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use super::rows::{self, OrderSql, SaleSql, order_columns, sale_columns};
use super::session::Session;
use super::statement::{bind, command, query};
use crate::domain::changes::BuyerKey;
use crate::domain::decide::{KeyOwner, ProductState};
use crate::domain::{
    Counts, Fingerprint, IdempotencyKey, Kind, Order, ProductId, Purchase, Sale, SaleId, Terms,
    TrackingId, UserId, View,
};
use crate::planted::planted;

type CountsSql = (BigInt, BigInt, BigInt, BigInt);

fn counts(rows: Vec<(i64, i64, i64, i64)>) -> BTreeMap<ProductId, Counts> {
    let counts = |(id, total, reserved, sold)| (ProductId(id), Counts { total, reserved, sold });
    rows.into_iter().map(counts).collect()
}

/// Locks parked orders that are to be decided again: orders come before inventory in the order of
/// locks that keeps settlers, sweepers and checkouts from waiting for each other in a circle.
pub(super) async fn lock_replayed(session: &Session, batch: &[Purchase]) -> Result<(), Fault> {
    let ids: Vec<Uuid> = batch.iter().filter(|p| p.replayed).map(|p| p.id.0).collect();
    if !ids.is_empty() {
        let sql = "select from orders where id = any(?) order by id for no key update";
        session.execute(command(sql, (bind::<Array<SqlUuid>, _>(ids),))).await?;
    }
    Ok(())
}

/// Reads counts without a lock.
pub(super) async fn look(
    session: &Session,
    products: Vec<i64>,
) -> Result<BTreeMap<ProductId, Counts>, Fault> {
    if products.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "select product_id, total, reserved, sold from inventory where product_id = any(?)";
    let read = query::<CountsSql, _>(sql, (bind::<Array<BigInt>, _>(products),));
    session.rows(read).await.map(counts)
}

/// Locks inventory rows, in order, and reads their counts.
pub(super) async fn lock(
    session: &Session,
    products: Vec<i64>,
) -> Result<BTreeMap<ProductId, Counts>, Fault> {
    if products.is_empty() {
        return Ok(BTreeMap::new());
    }
    if planted("no-lock") {
        return look(session, products).await;
    }
    let sql = "select product_id, total, reserved, sold from inventory
               where product_id = any(?) order by product_id for no key update";
    let read = query::<CountsSql, _>(sql, (bind::<Array<BigInt>, _>(products),));
    session.rows(read).await.map(counts)
}

/// Locks those inventory rows that nobody else has locked, and reads their counts.
pub(super) async fn lock_free(
    session: &Session,
    products: Vec<i64>,
) -> Result<BTreeMap<ProductId, Counts>, Fault> {
    let sql = "select product_id, total, reserved, sold from inventory
               where product_id = any(?) order by product_id for no key update skip locked";
    let read = query::<CountsSql, _>(sql, (bind::<Array<BigInt>, _>(products),));
    session.rows(read).await.map(counts)
}

/// Reads everything that the rules ask for; `counts` are those already known. Mostly one flight: only
/// where a limit or a hold asks who has what already there is a second one.
pub(super) async fn read(
    session: &Session,
    batch: &[Purchase],
    counts: &BTreeMap<ProductId, Counts>,
) -> Result<View, Fault> {
    let (now, products, sales, orders, keys) = futures::try_join!(
        session.row(query::<Timestamptz, _>("select clock_timestamp()", ())),
        products(session, counts),
        sales(session, sale_ids(batch.iter().map(|purchase| &purchase.terms))),
        orders(session, batch),
        keys(session, batch),
    )?;
    let mut view =
        View { now: rows::from_pg(now), products, sales, orders, keys, ..View::default() };
    let holds = batch.iter().any(|purchase| purchase.kind != Kind::Buy);
    read_shares(session, batch, holds, &mut view).await?;
    Ok(view)
}

/// Reads what the buyers have already, where a rule asks: any limit counts what was bought, and one of
/// one tells a buyer whether it was reached by buying or by holding; `holds` are refused to who holds.
async fn read_shares(
    session: &Session,
    batch: &[Purchase],
    holds: bool,
    view: &mut View,
) -> Result<(), Fault> {
    let limits = view.products.values().filter_map(|product| product.per_user_limit);
    let limits = limits.chain(view.sales.values().filter_map(|sale| sale.per_user_limit));
    let (any, one) = limits.fold((false, false), |(_, one), limit| (true, one || limit == 1));
    let (bought, holders) =
        futures::try_join!(bought(session, batch, any), holders(session, batch, one || holds))?;
    view.bought = bought;
    view.holders = holders;
    Ok(())
}

/// Reads what moving orders along asks for; `late` are those whose payment may be honoured anew.
pub(super) async fn read_standing(
    session: &Session,
    orders: Vec<Order>,
    late: &[Purchase],
    counts: &BTreeMap<ProductId, Counts>,
) -> Result<View, Fault> {
    let terms = orders.iter().filter_map(|order| order.terms.as_ref());
    let (now, products, sales) = futures::try_join!(
        session.row(query::<Timestamptz, _>("select clock_timestamp()", ())),
        products(session, counts),
        sales(session, sale_ids(terms)),
    )?;
    let orders = orders.into_iter().map(|order| (order.id, Arc::new(order))).collect();
    let mut view = View { now: rows::from_pg(now), products, sales, orders, ..View::default() };
    if !late.is_empty() {
        let ids = late.iter().map(|purchase| purchase.id.0).collect();
        view.reclaimed = reclaims(session, ids).await?;
        read_shares(session, late, false, &mut view).await?;
    }
    Ok(view)
}

/// The orders that honour late payments of these.
async fn reclaims(session: &Session, ids: Vec<Uuid>) -> Result<HashMap<TrackingId, Order>, Fault> {
    let sql = concat!("select ", order_columns!(), " from orders o where o.reclaims = any(?)");
    let read = query::<OrderSql, _>(sql, (bind::<Array<SqlUuid>, _>(ids),));
    let orders = session.rows(read).await?.into_iter().map(rows::order);
    orders
        .filter_map(|order| order.map(|order| Some((order.reclaims?, order))).transpose())
        .collect()
}

async fn products(
    session: &Session,
    counts: &BTreeMap<ProductId, Counts>,
) -> Result<HashMap<ProductId, ProductState>, Fault> {
    if counts.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<i64> = counts.keys().map(|id| id.0).collect();
    let sql = "select id, active, per_user_limit from products where id = any(?)";
    let read = query::<(BigInt, Bool, Nullable<BigInt>), _>(sql, (bind::<Array<BigInt>, _>(ids),));
    let rows: Vec<(i64, bool, Option<i64>)> = session.rows(read).await?;
    let state = |(id, active, limit): (i64, bool, Option<i64>)| {
        let counts = *counts.get(&ProductId(id))?;
        let per_user_limit = limit.map(rows::to_u32);
        Some((ProductId(id), ProductState { counts, active, per_user_limit }))
    };
    Ok(rows.into_iter().filter_map(state).collect())
}

fn sale_ids<'a>(terms: impl Iterator<Item = &'a Terms>) -> HashSet<i64> {
    terms.filter_map(|terms| Some(terms.sale_id?.0)).collect()
}

async fn sales(session: &Session, ids: HashSet<i64>) -> Result<HashMap<SaleId, Sale>, Fault> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = concat!(
        "select ",
        sale_columns!(),
        " from sales s join products p on p.id = s.product_id where s.id = any(?)"
    );
    let ids: Vec<i64> = ids.into_iter().collect();
    let read = query::<SaleSql, _>(sql, (bind::<Array<BigInt>, _>(ids),));
    let sales = session.rows(read).await?.into_iter().map(rows::sale);
    sales.map(|sale| sale.map(|sale| (sale.id, sale))).collect()
}

/// Product, sale (0: none) and user of each purchase, as parameters.
fn buyers(batch: &[Purchase]) -> (Vec<i64>, Vec<i64>, Vec<&str>) {
    let mut keys: Vec<_> = batch
        .iter()
        .map(|purchase| {
            let terms = &purchase.terms;
            let sale = terms.sale_id.map_or(0, |id| id.0);
            (terms.product_id.0, sale, terms.user_id.as_str())
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    columns.extend(keys);
    columns
}

/// Units that buyers already have, if anybody asks.
async fn bought(
    session: &Session,
    batch: &[Purchase],
    asked: bool,
) -> Result<HashMap<BuyerKey, u32>, Fault> {
    if !asked {
        return Ok(HashMap::new());
    }
    let sql = "
        with asked (product_id, sale_id, user_id) as (select * from unnest(?, ?, ?))
        select b.product_id, b.sale_id, b.user_id, b.units
        from asked join buyers b using (product_id, sale_id, user_id)";
    let (products, sales, users) = buyers(batch);
    let read = query::<(BigInt, BigInt, Text, BigInt), _>(
        sql,
        (
            bind::<Array<BigInt>, _>(products),
            bind::<Array<BigInt>, _>(sales),
            bind::<Array<Text>, _>(users),
        ),
    );
    let rows: Vec<(i64, i64, String, i64)> = session.rows(read).await?;
    let owner = |(product, sale, user, units): (i64, i64, String, i64)| {
        let sale = (sale != 0).then_some(SaleId(sale));
        Some(((ProductId(product), sale, UserId::parse(user).ok()?), rows::to_u32(units)))
    };
    Ok(rows.into_iter().filter_map(owner).collect())
}

/// Who of the batch's buyers holds units now, if anybody asks. (`limit 1` keeps it one index lookup per
/// buyer: as a plain join it was planned as a loop over all open holds.)
async fn holders(
    session: &Session,
    batch: &[Purchase],
    asked: bool,
) -> Result<HashSet<(ProductId, UserId)>, Fault> {
    if !asked {
        return Ok(HashSet::new());
    }
    let sql = "
        select asked.product_id, asked.user_id
        from unnest(?, ?) as asked (product_id, user_id), lateral (
            select from orders o
            where o.product_id = asked.product_id and o.user_id = asked.user_id
                and o.status in ('RESERVED', 'PENDING')
            limit 1
        ) held";
    let (products, _, users) = buyers(batch);
    let read = query::<(BigInt, Text), _>(
        sql,
        (bind::<Array<BigInt>, _>(products), bind::<Array<Text>, _>(users)),
    );
    let rows: Vec<(i64, String)> = session.rows(read).await?;
    let holder = |(id, user): (i64, String)| Some((ProductId(id), UserId::parse(user).ok()?));
    Ok(rows.into_iter().filter_map(holder).collect())
}

async fn orders(
    session: &Session,
    batch: &[Purchase],
) -> Result<HashMap<TrackingId, Arc<Order>>, Fault> {
    let ids: Vec<Uuid> = batch.iter().map(|purchase| purchase.id.0).collect();
    let sql = concat!("select ", order_columns!(), " from orders o where o.id = any(?)");
    let read = query::<OrderSql, _>(sql, (bind::<Array<SqlUuid>, _>(ids),));
    let orders = session.rows(read).await?.into_iter().map(rows::order);
    orders.map(|order| order.map(|order| (order.id, Arc::new(order)))).collect()
}

async fn keys(
    session: &Session,
    batch: &[Purchase],
) -> Result<HashMap<(UserId, IdempotencyKey), KeyOwner>, Fault> {
    let keyed = batch.iter().filter_map(|p| Some((&p.terms.user_id, &p.keyed.as_ref()?.key)));
    let (users, keys): (Vec<_>, Vec<_>) =
        keyed.map(|(user, key)| (user.as_str(), key.as_str())).unzip();
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "
        with asked (user_id, idempotency_key) as (select * from unnest(?, ?))
        select o.user_id, o.idempotency_key, o.id, o.fingerprint
        from asked join orders o using (user_id, idempotency_key)
        where o.idempotency_key is not null";
    let read = query::<(Text, Text, SqlUuid, Nullable<BigInt>), _>(
        sql,
        (bind::<Array<Text>, _>(users), bind::<Array<Text>, _>(keys)),
    );
    let rows: Vec<(String, String, Uuid, Option<i64>)> = session.rows(read).await?;
    let owner = |(user, key, id, fingerprint): (String, String, Uuid, Option<i64>)| {
        let name = (UserId::parse(user).ok()?, IdempotencyKey::parse(key).ok()?);
        Some((name, (TrackingId(id), Fingerprint(fingerprint?))))
    };
    Ok(rows.into_iter().filter_map(owner).collect())
}
