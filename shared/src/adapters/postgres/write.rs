//! What the decision changes. Each function is one flight of statements, sent together.

use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use super::rows::{self, LevelSql, level_columns, live_capped_sale};
use super::session::Session;
use super::statement::{bind, command, query};
use crate::domain::{Decision, Order, Purchase, Reason, StockLevel};
use crate::ports::DueId;

/// Writes the orders and the outbox row that owes their announcement.
pub(super) async fn orders(session: &Session, decision: &Decision) -> Result<Option<DueId>, Fault> {
    let changed: Vec<&Order> = decision.inserts.iter().chain(&decision.replays).collect();
    if changed.is_empty() {
        return Ok(None);
    }
    let (inserted, replayed, due) = futures::try_join!(
        insert(session, &decision.inserts),
        replay(session, &decision.replays),
        owe(session, &changed, Vec::new()),
    )?;
    // Somebody else settled one of them since we looked.
    if inserted + replayed < changed.len() {
        return Err(Fault::Again("an order was there already".into()));
    }
    Ok(Some(due))
}

/// One array per column, in the order of the statements below. Rows are sorted by ID: neighbours
/// in the index are written together, and two writers never wait for each other in a circle.
macro_rules! order_binds {
    ($orders:expr) => {{
        let mut orders: Vec<&Order> = $orders.iter().collect();
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

/// Inserts orders that are not there yet; answers how many were not.
pub(super) async fn insert(session: &Session, orders: &[Order]) -> Result<usize, Fault> {
    if orders.is_empty() {
        return Ok(0);
    }
    let sql = "
        insert into orders (
            id, product_id, sale_id, user_id, quantity, unit_price_minor, currency, status,
            reason, replay_of, accepted_at, decided_at, expires_at, version, idempotency_key,
            fingerprint
        )
        select * from unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        on conflict do nothing";
    session.execute(command(sql, order_binds!(orders))).await
}

/// Gives parked orders the outcome that a replay decided.
async fn replay(session: &Session, orders: &[Order]) -> Result<usize, Fault> {
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

/// Writes the outbox row of these orders and dead letters. It is leased to its writer, who pays it
/// from memory; the sweep looks at it only when that did not happen.
pub(super) async fn owe(
    session: &Session,
    orders: &[&Order],
    dead_letters: Vec<i64>,
) -> Result<DueId, Fault> {
    let sql = "
        insert into outbox (order_ids, kinds, versions, dead_letter_ids, leased_until)
        values (?, ?, ?, ?, clock_timestamp() + interval '5 s')
        returning id";
    let ids: Vec<Uuid> = orders.iter().map(|order| order.id.0).collect();
    let kinds: Vec<&str> = orders.iter().map(|order| order.status.as_str()).collect();
    let versions: Vec<i64> = orders.iter().map(|order| order.version).collect();
    let insert = query::<BigInt, _>(
        sql,
        (
            bind::<Array<SqlUuid>, _>(ids),
            bind::<Array<Text>, _>(kinds),
            bind::<Array<BigInt>, _>(versions),
            bind::<Array<BigInt>, _>(dead_letters),
        ),
    );
    session.row(insert).await.map(DueId)
}

/// Takes the units: of buyers under a limit, of capped sales, of the inventory.
pub(super) async fn stock(
    session: &Session,
    decision: &Decision,
) -> Result<Vec<StockLevel>, Fault> {
    let (_, _, levels) = futures::try_join!(
        buyers(session, decision),
        sales(session, decision),
        inventory(session, decision)
    )?;
    Ok(levels)
}

async fn buyers(session: &Session, decision: &Decision) -> Result<usize, Fault> {
    if decision.bought.is_empty() {
        return Ok(0);
    }
    let sql = "
        insert into buyers (product_id, sale_id, user_id, units) select * from unnest(?, ?, ?, ?)
        on conflict (product_id, sale_id, user_id)
        do update set units = buyers.units + excluded.units";
    let bought = || decision.bought.iter();
    let products: Vec<i64> = bought().map(|((product, ..), _)| product.0).collect();
    let sales: Vec<i64> = bought().map(|((_, sale, _), _)| sale.map_or(0, |id| id.0)).collect();
    let users: Vec<&str> = bought().map(|((.., user), _)| user.as_str()).collect();
    let units: Vec<i64> = bought().map(|(_, units)| i64::from(*units)).collect();
    let binds = (
        bind::<Array<BigInt>, _>(products),
        bind::<Array<BigInt>, _>(sales),
        bind::<Array<Text>, _>(users),
        bind::<Array<BigInt>, _>(units),
    );
    session.execute(command(sql, binds)).await
}

async fn sales(session: &Session, decision: &Decision) -> Result<usize, Fault> {
    if decision.sales.is_empty() {
        return Ok(0);
    }
    let sql = "
        update sales set taken = taken + d.units from unnest(?, ?) as d (id, units)
        where sales.id = d.id";
    let ids: Vec<i64> = decision.sales.keys().map(|id| id.0).collect();
    let units: Vec<i64> = decision.sales.values().copied().collect();
    let binds = (bind::<Array<BigInt>, _>(ids), bind::<Array<BigInt>, _>(units));
    session.execute(command(sql, binds)).await
}

async fn inventory(session: &Session, decision: &Decision) -> Result<Vec<StockLevel>, Fault> {
    if decision.taken.is_empty() {
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
    let ids: Vec<i64> = decision.taken.keys().map(|id| id.0).collect();
    let reserved: Vec<i64> = decision.taken.values().map(|taken| taken.reserved).collect();
    let sold: Vec<i64> = decision.taken.values().map(|taken| taken.sold).collect();
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
