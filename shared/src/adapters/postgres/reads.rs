//! Reads that take no locks.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use super::rows::{
    self, LevelSql, OrderSql, ProductSql, SaleSql, level_columns, live_capped_sale, order_columns,
    product_columns, sale_columns,
};
use super::session::Session;
use super::statement::{bind, query};
use crate::domain::{
    Catalogue, Order, ProductId, Status, StockLevel, Timestamp, TrackingId, TrackingKey,
};
use crate::ports::{OrderQuery, Pulse, UserKey};

pub(super) async fn orders(session: &Session, ids: &[TrackingId]) -> Result<Vec<Order>, Fault> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let sql = concat!("select ", order_columns!(), " from orders o where o.id = any(?)");
    let read = query::<OrderSql, _>(sql, (bind::<Array<SqlUuid>, _>(ids),));
    session.rows(read).await?.into_iter().map(rows::order).collect()
}

pub(super) async fn orders_by_key(
    session: &Session,
    keys: &[UserKey],
) -> Result<Vec<Order>, Fault> {
    let sql = concat!(
        "select ",
        order_columns!(),
        " from unnest(?, ?) as k (user_id, idempotency_key)
          join orders o using (user_id, idempotency_key)"
    );
    let (users, keys): (Vec<_>, Vec<_>) =
        keys.iter().map(|(user_id, key)| (user_id.as_str(), key.as_str())).unzip();
    let binds = (bind::<Array<Text>, _>(users), bind::<Array<Text>, _>(keys));
    let found = session.rows(query::<OrderSql, _>(sql, binds)).await?;
    found.into_iter().map(rows::order).collect()
}

pub(super) async fn orders_of(session: &Session, asked: &OrderQuery) -> Result<Vec<Order>, Fault> {
    let sql = concat!(
        "select ",
        order_columns!(),
        " from orders o
          where o.user_id = ? and (?::text is null or o.status = ?) and o.id < ?
          order by o.user_id desc, o.id desc limit ?"
    );
    let status = asked.status.map(Status::as_str);
    let binds = (
        bind::<Text, _>(asked.user_id.as_str()),
        bind::<Nullable<Text>, _>(status),
        bind::<Nullable<Text>, _>(status),
        bind::<SqlUuid, _>(asked.after.map_or(Uuid::max(), |id| id.0)),
        bind::<BigInt, _>(i64::try_from(asked.limit).unwrap_or(i64::MAX)),
    );
    let found = session.rows(query::<OrderSql, _>(sql, binds)).await?;
    found.into_iter().map(rows::order).collect()
}

pub(super) async fn clock(session: &Session) -> Result<Timestamp, Fault> {
    session.row(query::<Timestamptz, _>("select clock_timestamp()", ())).await.map(rows::from_pg)
}

/// The catalogue; in a snapshot.
pub(super) async fn catalogue(session: &Session) -> Result<Catalogue, Fault> {
    let products = concat!("select ", product_columns!(), " from products p order by p.id");
    // A product with sales sells only inside one of them, also after the last is over: that one
    // stays, or the product would fall back to its base price.
    let sales = concat!(
        "select ",
        sale_columns!(),
        " from sales s join products p on p.id = s.product_id
          where s.ends_at > statement_timestamp() or s.id = (
              select last.id from sales last
              where last.product_id = s.product_id and last.cancelled_at is null
              order by last.ends_at desc limit 1
          )"
    );
    let ((_, version), products, sales) = futures::try_join!(
        clock_and_version(session),
        session.rows(query::<ProductSql, _>(products, ())),
        session.rows(query::<SaleSql, _>(sales, ())),
    )?;
    let products = products.into_iter().map(rows::product).collect::<Result<_, _>>()?;
    let sales = sales.into_iter().map(rows::sale).collect::<Result<_, _>>()?;
    Ok(Catalogue::new(version, products, sales))
}

/// The pulse; in a snapshot.
pub(super) async fn pulse(session: &Session) -> Result<Pulse, Fault> {
    let levels = concat!(
        "select ",
        level_columns!(),
        " from products p join inventory i on i.product_id = p.id ",
        live_capped_sale!(),
        " where p.active order by i.product_id"
    );
    let ((now, catalogue_version), levels) = futures::try_join!(
        clock_and_version(session),
        session.rows(query::<LevelSql, _>(levels, ())),
    )?;
    let levels = levels.into_iter().map(rows::level).collect();
    Ok(Pulse { now: rows::from_pg(now), catalogue_version, levels })
}

async fn clock_and_version(session: &Session) -> Result<(PgTimestamp, i64), Fault> {
    let sql = "select clock_timestamp(), value::bigint from settings
               where name = 'catalogue_version'";
    session.row(query::<(Timestamptz, BigInt), _>(sql, ())).await
}

pub(super) async fn stock(
    session: &Session,
    products: &[ProductId],
) -> Result<Vec<StockLevel>, Fault> {
    let sql = concat!(
        "select ",
        level_columns!(),
        " from inventory i ",
        live_capped_sale!(),
        " where i.product_id = any(?)"
    );
    let ids: Vec<i64> = products.iter().map(|id| id.0).collect();
    let read = query::<LevelSql, _>(sql, (bind::<Array<BigInt>, _>(ids),));
    Ok(session.rows(read).await?.into_iter().map(rows::level).collect())
}

pub(super) async fn tracking_key(session: &Session) -> Result<TrackingKey, Fault> {
    let sql = "select value from settings where name = 'tracking_key'";
    let found: Vec<String> = session.rows(query::<Text, _>(sql, ())).await?;
    let key = found.first().and_then(|text| TrackingKey::from_hex(text));
    key.ok_or_else(|| Fault::outage("there is no tracking key yet: run `doorbuster migrate`"))
}
