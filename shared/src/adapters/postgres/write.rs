//! What the decision changes. Each function is one flight of statements, sent together.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::errors::Fault;
use super::letters;
use super::rows::{self, LevelSql, level_columns, live_capped_sale};
use super::session::Session;
use super::statement::{bind, command, query};
use crate::domain::{
    Advance, Changes, Notice, Order, Purchase, Reason, StockLevel, Timestamp, TrackingId,
};
use crate::ports::{DueId, OrderChange};

/// Writes settled orders and the outbox row that owes their announcement.
pub(super) async fn orders(
    session: &Session,
    inserts: &[Arc<Order>],
    replays: &[Arc<Order>],
    owed: &Owed<'_>,
) -> Result<Due, Fault> {
    let decided = replays.iter().map(|order| order.id.0).collect();
    let ((), replayed, (), due) = futures::try_join!(
        insert(session, inserts),
        replay(session, replays),
        letters::close(session, decided),
        owe(session, owed),
    )?;
    // Somebody else settled one of them since we looked.
    if replayed < replays.len() {
        return Err(Fault::Again("a parked order was decided already".into()));
    }
    Ok(due)
}

/// One array per column, in the order of the statements below. Rows are sorted by ID: neighbours
/// in the index are written together, and two writers never wait for each other in a circle.
macro_rules! order_binds {
    ($orders:expr) => {{
        let mut orders: Vec<&Order> = $orders.iter().map(AsRef::as_ref).collect();
        orders.sort_unstable_by_key(|order| order.id);
        macro_rules! column {
            ($sql:ty, $of:expr) => {
                bind::<Array<$sql>, _>(orders.iter().map($of).collect::<Vec<_>>())
            };
        }
        macro_rules! term {
            ($sql:ty, $of:expr) => {
                column!(Nullable<$sql>, |order| order.terms.as_ref().map($of))
            };
        }
        (
            column!(SqlUuid, |o| o.id.0),
            term!(BigInt, |t| t.product_id.0),
            column!(Nullable<BigInt>, |o| Some(o.terms.as_ref()?.sale_id?.0)),
            term!(Text, |t| t.user_id.as_str()),
            term!(BigInt, |t| i64::from(t.quantity.units())),
            term!(BigInt, |t| t.unit_price.minor),
            term!(Text, |t| t.unit_price.currency.code()),
            column!(Text, |o| o.status.as_str()),
            column!(Nullable<Text>, |o| o.reason.map(Reason::as_str)),
            column!(Nullable<SqlUuid>, |o| o.replay_of.map(|id| id.0)),
            column!(Timestamptz, |o| rows::to_pg(o.accepted_at)),
            column!(Nullable<Timestamptz>, |o| o.decided_at.map(rows::to_pg)),
            column!(Nullable<Timestamptz>, |o| o.expires_at.map(rows::to_pg)),
            column!(BigInt, |o| o.version),
            column!(Nullable<Text>, |o| o.keyed.as_ref().map(|k| k.key.as_str())),
            column!(Nullable<BigInt>, |o| o.keyed.as_ref().map(|k| k.fingerprint.0)),
        )
    }};
}

/// Inserts orders that were not there when we looked. One that is there by now breaks a unique index,
/// and the transaction is done again: `on conflict do nothing` would look into every index twice and
/// log every row twice. (Arrays are taken apart in the select list, in step: in the from clause each
/// would be copied into a table first.)
async fn insert(session: &Session, orders: &[Arc<Order>]) -> Result<(), Fault> {
    if orders.is_empty() {
        return Ok(());
    }
    let sql = "
        insert into orders (
            id, product_id, sale_id, user_id, quantity, unit_price_minor, currency, status,
            reason, replay_of, accepted_at, decided_at, expires_at, version, idempotency_key,
            fingerprint
        )
        select
            unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?),
            unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)";
    session.execute(command(sql, order_binds!(orders))).await.map(drop)
}

/// Gives parked orders the outcome that a replay decided.
async fn replay(session: &Session, orders: &[Arc<Order>]) -> Result<usize, Fault> {
    if orders.is_empty() {
        return Ok(0);
    }
    let sql = "
        update orders set
            product_id = d.product_id, sale_id = d.sale_id, user_id = d.user_id,
            quantity = d.quantity, unit_price_minor = d.unit_price_minor, currency = d.currency,
            status = d.status, reason = d.reason, replay_of = d.replay_of,
            accepted_at = d.accepted_at, decided_at = d.decided_at, expires_at = d.expires_at,
            version = d.version, idempotency_key = d.idempotency_key, fingerprint = d.fingerprint
        from unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) as d (
            id, product_id, sale_id, user_id, quantity, unit_price_minor, currency, status,
            reason, replay_of, accepted_at, decided_at, expires_at, version, idempotency_key,
            fingerprint
        )
        where orders.id = d.id and orders.status = 'PARKED'";
    session.execute(command(sql, order_binds!(orders))).await
}

/// What an outbox row owes.
#[derive(Default)]
pub(super) struct Owed<'a> {
    pub(super) orders: &'a [OrderChange],
    pub(super) notices: &'a [Notice],
    pub(super) dead_letters: Vec<i64>,
}

/// The outbox row that was written, and when.
pub(super) type Due = (DueId, Timestamp);

/// Writes the outbox row. It is leased to its writer, who pays it from memory; the sweep looks at
/// it only when that did not happen.
pub(super) async fn owe(session: &Session, owed: &Owed<'_>) -> Result<Due, Fault> {
    let sql = "
        insert into outbox (order_ids, kinds, versions, notices, dead_letter_ids, leased_until)
        values (?, ?, ?, ?::jsonb, ?, clock_timestamp() + interval '5 s')
        returning id, at";
    let ids: Vec<Uuid> = owed.orders.iter().map(|change| change.order.id.0).collect();
    let kinds: Vec<&str> = owed.orders.iter().map(|change| change.event.as_str()).collect();
    let versions: Vec<i64> = owed.orders.iter().map(|change| change.version).collect();
    let insert = query::<(BigInt, Timestamptz), _>(
        sql,
        (
            bind::<Array<SqlUuid>, _>(ids),
            bind::<Array<Text>, _>(kinds),
            bind::<Array<BigInt>, _>(versions),
            bind::<Text, _>(json(&owed.notices)),
            bind::<Array<BigInt>, _>(owed.dead_letters.clone()),
        ),
    );
    let (id, at) = session.row(insert).await?;
    Ok((DueId(id), rows::from_pg(at)))
}

/// Plain values always have a JSON form.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Moves the units: of buyers under a limit, of capped sales, of the inventory.
pub(super) async fn stock(session: &Session, changes: &Changes) -> Result<Vec<StockLevel>, Fault> {
    let (_, _, _, levels) = futures::try_join!(
        buyers_take(session, changes),
        buyers_return(session, changes),
        sales(session, changes),
        inventory(session, changes)
    )?;
    Ok(levels)
}

/// Buyers' units as parameters: product, sale (0: none), user, units.
fn buyers(changes: &Changes, wanted: fn(i64) -> bool) -> Option<BuyerColumns<'_>> {
    let chosen: Vec<_> = changes.bought.iter().filter(|(_, units)| wanted(**units)).collect();
    let chosen = || chosen.iter();
    (chosen().len() > 0).then(|| {
        (
            chosen().map(|((product, ..), _)| product.0).collect(),
            chosen().map(|((_, sale, _), _)| sale.map_or(0, |id| id.0)).collect(),
            chosen().map(|((.., user), _)| user.as_str()).collect(),
            chosen().map(|(_, units)| **units).collect(),
        )
    })
}

type BuyerColumns<'a> = (Vec<i64>, Vec<i64>, Vec<&'a str>, Vec<i64>);

macro_rules! buyer_binds {
    ($columns:expr) => {{
        let (products, sales, users, units) = $columns;
        (
            bind::<Array<BigInt>, _>(products),
            bind::<Array<BigInt>, _>(sales),
            bind::<Array<Text>, _>(users),
            bind::<Array<BigInt>, _>(units),
        )
    }};
}

async fn buyers_take(session: &Session, changes: &Changes) -> Result<usize, Fault> {
    let Some(columns) = buyers(changes, |units| units > 0) else { return Ok(0) };
    let sql = "
        insert into buyers (product_id, sale_id, user_id, units) select * from unnest(?, ?, ?, ?)
        on conflict (product_id, sale_id, user_id)
        do update set units = buyers.units + excluded.units";
    session.execute(command(sql, buyer_binds!(columns))).await
}

async fn buyers_return(session: &Session, changes: &Changes) -> Result<usize, Fault> {
    let Some(columns) = buyers(changes, |units| units < 0) else { return Ok(0) };
    let sql = "
        update buyers set units = buyers.units + d.units
        from unnest(?, ?, ?, ?) as d (product_id, sale_id, user_id, units)
        where buyers.product_id = d.product_id and buyers.sale_id = d.sale_id
            and buyers.user_id = d.user_id";
    session.execute(command(sql, buyer_binds!(columns))).await
}

async fn sales(session: &Session, changes: &Changes) -> Result<usize, Fault> {
    if changes.sales.is_empty() {
        return Ok(0);
    }
    let sql = "
        update sales set taken = taken + d.units from unnest(?, ?) as d (id, units)
        where sales.id = d.id";
    let ids: Vec<i64> = changes.sales.keys().map(|id| id.0).collect();
    let units: Vec<i64> = changes.sales.values().copied().collect();
    let binds = (bind::<Array<BigInt>, _>(ids), bind::<Array<BigInt>, _>(units));
    session.execute(command(sql, binds)).await
}

async fn inventory(session: &Session, changes: &Changes) -> Result<Vec<StockLevel>, Fault> {
    if changes.taken.is_empty() {
        return Ok(Vec::new());
    }
    let sql = concat!(
        "with i as (
             update inventory set
                 reserved = inventory.reserved + d.reserved, sold = inventory.sold + d.sold,
                 version = version + 1
             from unnest(?, ?, ?) as d (product_id, reserved, sold)
             where inventory.product_id = d.product_id
             returning inventory.*
         )
         select ",
        level_columns!(),
        " from i ",
        live_capped_sale!()
    );
    let ids: Vec<i64> = changes.taken.keys().map(|id| id.0).collect();
    let reserved: Vec<i64> = changes.taken.values().map(|taken| taken.reserved).collect();
    let sold: Vec<i64> = changes.taken.values().map(|taken| taken.sold).collect();
    let update = query::<LevelSql, _>(
        sql,
        (
            bind::<Array<BigInt>, _>(ids),
            bind::<Array<BigInt>, _>(reserved),
            bind::<Array<BigInt>, _>(sold),
        ),
    );
    Ok(session.rows(update).await?.into_iter().map(rows::level).collect())
}

/// Writes what happened to orders that were there, and the orders that honour late payments.
pub(super) async fn advanced(session: &Session, advance: &Advance) -> Result<(), Fault> {
    // Of several steps of one order the last is what is stored.
    let mut last: BTreeMap<TrackingId, &Order> = BTreeMap::new();
    for step in &advance.steps {
        last.insert(step.order.id, &step.order);
    }
    let orders: Vec<&Order> = last.into_values().collect();
    let ((), updated) =
        futures::try_join!(insert(session, &advance.reclaims), life(session, &orders))?;
    if updated < orders.len() {
        return Err(Fault::Again("an order changed although it was locked".into()));
    }
    Ok(())
}

/// Writes all that can change of an order once it is settled or parked. The rows are locked; that none of
/// them was further already is a last guard.
async fn life(session: &Session, orders: &[&Order]) -> Result<usize, Fault> {
    if orders.is_empty() {
        return Ok(0);
    }
    macro_rules! column {
        ($sql:ty, $of:expr) => {
            bind::<Array<$sql>, _>(orders.iter().map($of).collect::<Vec<_>>())
        };
    }
    let sql = "
        update orders set
            status = d.status, reason = d.reason, decided_at = d.decided_at, version = d.version,
            pay_by = d.pay_by, reclaims = d.reclaims,
            payment_reference = d.payment_reference, payment_method = d.payment_method,
            shipping_address = d.shipping_address::jsonb, refund_due_at = d.refund_due_at,
            refund_references = d.refund_references::jsonb
        from unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) as d (
            id, status, reason, decided_at, version, pay_by, reclaims, payment_reference, payment_method,
            shipping_address, refund_due_at, refund_references
        )
        where orders.id = d.id and orders.version <= d.version";
    let binds = (
        column!(SqlUuid, |o| o.id.0),
        column!(Text, |o| o.status.as_str()),
        column!(Nullable<Text>, |o| o.reason.map(Reason::as_str)),
        column!(Nullable<Timestamptz>, |o| o.decided_at.map(rows::to_pg)),
        column!(BigInt, |o| o.version),
        column!(Nullable<Timestamptz>, |o| o.pay_by.map(rows::to_pg)),
        column!(Nullable<SqlUuid>, |o| o.reclaims.map(|id| id.0)),
        column!(Nullable<Text>, |o| o.payment.as_ref().map(|p| p.reference.as_str())),
        column!(Nullable<Text>, |o| o.payment.as_ref()?.method.as_deref()),
        column!(Nullable<Text>, |o| o.payment.as_ref()?.shipping_address.as_deref()),
        column!(Nullable<Timestamptz>, |o| o.refund.as_ref().map(|r| rows::to_pg(r.due_at))),
        column!(Nullable<Text>, |o| o.refund.as_ref().map(|r| json(&r.references))),
    );
    session.execute(command(sql, binds)).await
}

/// Keeps purchases whose ID belongs to somebody else's order, once each.
pub(super) async fn collisions(session: &Session, batch: Vec<&Purchase>) -> Result<(), Fault> {
    if batch.is_empty() {
        return Ok(());
    }
    let sql = "
        insert into dead_letters (body, error)
        select body, 'the ID belongs to another order' from unnest(?) as body
        on conflict (sha256(body)) do nothing";
    // Plain values always have a JSON form.
    let body = |purchase: &&Purchase| serde_json::to_vec(purchase).unwrap_or_default();
    let bodies: Vec<Vec<u8>> = batch.iter().map(body).collect();
    session.execute(command(sql, (bind::<Array<Binary>, _>(bodies),))).await.map(drop)
}
