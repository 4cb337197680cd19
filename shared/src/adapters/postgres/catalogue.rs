//! Changes of products and their stock.
//!
//! Each takes the product's inventory lock first and raises its version by one, so that one version
//! orders everything the boards show; then, last, the catalogue's version.

use std::time::Duration;

use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::errors::Fault;
use super::rows::{self, LevelSql, ProductSql, level_columns, live_capped_sale, product_columns};
use super::session::Session;
use super::statement::{bind, command, query};
use super::view;
use crate::domain::{Counts, Product, ProductId, ProductRef, StockLevel};
use crate::ports::{LedgerError, NewProduct, ProductChange};

pub(super) async fn create(
    session: &Session,
    new: &NewProduct,
) -> Result<(Product, StockLevel), Fault> {
    if new.total < 0 {
        return Err(LedgerError::StockInUse { available: 0 }.into());
    }
    let sql = concat!(
        "with p as (
             insert into products (
                 sku, name, description, category, image_url, price_minor, currency, per_user_limit
             )
             values (?, ?, ?, ?, ?, ?, ?, ?)
             returning *
         )
         select ",
        product_columns!(),
        " from p"
    );
    let binds = (
        bind::<Text, _>(new.sku.as_str()),
        bind::<Text, _>(new.name.as_str()),
        bind::<Text, _>(new.description.as_str()),
        bind::<Text, _>(new.category.as_str()),
        bind::<Nullable<Text>, _>(new.image_url.as_deref()),
        bind::<BigInt, _>(new.price.minor),
        bind::<Text, _>(new.price.currency.code()),
        bind::<Nullable<BigInt>, _>(new.per_user_limit.map(i64::from)),
    );
    let product = rows::product(session.row(query::<ProductSql, _>(sql, binds)).await?)?;
    let stock = "insert into inventory (product_id, total) values (?, ?)";
    let stock = command(stock, (bind::<BigInt, _>(product.id.0), bind::<BigInt, _>(new.total)));
    session.execute(stock).await?;
    note_movement(session, product.id, new.total, "created", "").await?;
    raise_catalogue_version(session).await?;
    let counts = Counts { total: new.total, ..Counts::default() };
    Ok((product.clone(), StockLevel { product_id: product.id, counts, version: 1, sale: None }))
}

pub(super) async fn change(
    session: &Session,
    product: &ProductRef,
    change: &ProductChange,
) -> Result<(Product, StockLevel), Fault> {
    let id = find(session, product).await?;
    view::lock(session, vec![id.0]).await?;
    // Read after the lock: what is compared and kept is what the last change left.
    let old = read(session, id).await?;
    let new = change.applied_to(&old);
    let sql = "update products set name = ?, description = ?, price_minor = ?, active = ?,
                   per_user_limit = ?
               where id = ?";
    let binds = (
        bind::<Text, _>(new.name.as_str()),
        bind::<Text, _>(new.description.as_str()),
        bind::<BigInt, _>(new.price.minor),
        bind::<Bool, _>(new.active),
        bind::<Nullable<BigInt>, _>(new.per_user_limit.map(i64::from)),
        bind::<BigInt, _>(id.0),
    );
    session.execute(command(sql, binds)).await?;
    if old.per_user_limit.is_none() && new.per_user_limit.is_some() {
        recount_buyers(session, id).await?;
    }
    let level = raise_version(session, id, 0).await?;
    raise_catalogue_version(session).await?;
    Ok((new, level))
}

pub(super) async fn restock(
    session: &Session,
    product: &ProductRef,
    delta: i64,
    who: &str,
) -> Result<StockLevel, Fault> {
    let id = find(session, product).await?;
    let counts = view::lock(session, vec![id.0]).await?;
    let counts = counts.get(&id).copied().ok_or(LedgerError::ProductNotFound)?;
    let in_use = || LedgerError::StockInUse { available: counts.available() };
    let total = counts.total.checked_add(delta).ok_or_else(in_use)?;
    if !(Counts { total, ..counts }).is_conserved() {
        return Err(in_use().into());
    }
    note_movement(session, id, delta, "restocked", who).await?;
    raise_version(session, id, delta).await
}

async fn find(session: &Session, product: &ProductRef) -> Result<ProductId, Fault> {
    let found: Vec<i64> = match product {
        ProductRef::Id(id) => {
            let sql = "select id from products where id = ?";
            session.rows(query::<BigInt, _>(sql, (bind::<BigInt, _>(id.0),))).await?
        }
        ProductRef::Sku(sku) => {
            let sql = "select id from products where sku = ?";
            session.rows(query::<BigInt, _>(sql, (bind::<Text, _>(sku.as_str()),))).await?
        }
    };
    let id = found.first().ok_or(LedgerError::ProductNotFound)?;
    Ok(ProductId(*id))
}

async fn read(session: &Session, id: ProductId) -> Result<Product, Fault> {
    let sql = concat!("select ", product_columns!(), " from products p where p.id = ?");
    rows::product(session.row(query::<ProductSql, _>(sql, (bind::<BigInt, _>(id.0),))).await?)
}

/// Counts what buyers have outside sales: a limit where there was none counts what was bought
/// before it. Reads all orders, under the lock: a rare act of an operator, which may take longer
/// than a settle.
async fn recount_buyers(session: &Session, id: ProductId) -> Result<(), Fault> {
    session.allow(Duration::from_secs(60)).await?;
    session.batch("set local enable_seqscan = on").await?;
    let sql = "delete from buyers where product_id = ? and sale_id = 0";
    session.execute(command(sql, (bind::<BigInt, _>(id.0),))).await?;
    let sql = "
        insert into buyers (product_id, user_id, units)
        select product_id, user_id, sum(quantity)::bigint from orders
        where product_id = ? and sale_id is null
            and status in ('RESERVED', 'PENDING', 'CONFIRMED', 'FULFILLED')
        group by product_id, user_id";
    session.execute(command(sql, (bind::<BigInt, _>(id.0),))).await.map(drop)
}

async fn note_movement(
    session: &Session,
    id: ProductId,
    delta: i64,
    why: &str,
    who: &str,
) -> Result<(), Fault> {
    if delta == 0 {
        return Ok(());
    }
    let sql = "insert into stock_movements (product_id, delta, why, who) values (?, ?, ?, ?)";
    let binds = (
        bind::<BigInt, _>(id.0),
        bind::<BigInt, _>(delta),
        bind::<Text, _>(why),
        bind::<Text, _>(who),
    );
    session.execute(command(sql, binds)).await.map(drop)
}

async fn raise_version(session: &Session, id: ProductId, delta: i64) -> Result<StockLevel, Fault> {
    let sql = concat!(
        "with i as (
             update inventory set total = total + ?, version = version + 1 where product_id = ?
             returning *
         )
         select ",
        level_columns!(),
        " from i ",
        live_capped_sale!()
    );
    let binds = (bind::<BigInt, _>(delta), bind::<BigInt, _>(id.0));
    session.row(query::<LevelSql, _>(sql, binds)).await.map(rows::level)
}

async fn raise_catalogue_version(session: &Session) -> Result<(), Fault> {
    let sql = "update settings set value = (value::bigint + 1)::text
               where name = 'catalogue_version'";
    session.execute(command(sql, ())).await.map(drop)
}
