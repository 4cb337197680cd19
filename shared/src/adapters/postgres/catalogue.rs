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
use super::write::{self, Owed};
use super::{audit_log, view};
use crate::domain::{
    Actor, Counts, Notice, NoticeEvent, Product, ProductId, ProductRef, SaleId, StockLevel,
};
use crate::ports::{Announcement, Deed, LedgerError, NewProduct, ProductChange};

pub(super) async fn create(
    session: &Session,
    new: &NewProduct,
    by: &Actor,
) -> Result<(Product, Announcement), Fault> {
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
    note_movement(session, product.id, new.total, "created", by).await?;
    audit_log::note(session, by, &Deed::product_created(&product, new.total)).await?;
    raise_catalogue_version(session).await?;
    let counts = Counts { total: new.total, ..Counts::default() };
    let level = StockLevel { product_id: product.id, counts, version: 1, sale: None };
    let notice = Notice::of_product(product.id, NoticeEvent::ProductCreated);
    let announcement = announce(session, vec![notice], vec![level]).await?;
    Ok((product, announcement))
}

pub(super) async fn change(
    session: &Session,
    product: &ProductRef,
    change: &ProductChange,
    by: &Actor,
) -> Result<(Product, Announcement), Fault> {
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
        recount_buyers(session, id, None).await?;
    }
    let level = raise_version(session, id, 0).await?;
    raise_catalogue_version(session).await?;
    audit_log::note(session, by, &Deed::product_changed(&new)).await?;
    let notice = Notice::of_product(id, NoticeEvent::ProductChanged);
    Ok((new, announce(session, vec![notice], vec![level]).await?))
}

pub(super) async fn restock(
    session: &Session,
    product: &ProductRef,
    delta: i64,
    by: &Actor,
) -> Result<Announcement, Fault> {
    let id = find(session, product).await?;
    let counts = view::lock(session, vec![id.0]).await?;
    let counts = counts.get(&id).copied().ok_or(LedgerError::ProductNotFound)?;
    let in_use = || LedgerError::StockInUse { available: counts.available() };
    let total = counts.total.checked_add(delta).ok_or_else(in_use)?;
    if !(Counts { total, ..counts }).is_conserved() {
        return Err(in_use().into());
    }
    note_movement(session, id, delta, "restocked", by).await?;
    audit_log::note(session, by, &Deed::stock_moved(id, delta)).await?;
    let level = raise_version(session, id, delta).await?;
    let mut notices = vec![Notice::of_product(id, NoticeEvent::StockMoved)];
    notices.extend(Notice::of_stock(id, counts, level.counts));
    announce(session, notices, vec![level]).await
}

/// Owes the news of an operator's write.
pub(super) async fn announce(
    session: &Session,
    notices: Vec<Notice>,
    levels: Vec<StockLevel>,
) -> Result<Announcement, Fault> {
    let owed = Owed { notices: &notices, ..Owed::default() };
    let (due, at) = write::owe(session, &owed).await?;
    Ok(Announcement { due: Some(due), at, notices, levels, ..Announcement::default() })
}

pub(super) async fn find(session: &Session, product: &ProductRef) -> Result<ProductId, Fault> {
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

pub(super) async fn read(session: &Session, id: ProductId) -> Result<Product, Fault> {
    let sql = concat!("select ", product_columns!(), " from products p where p.id = ?");
    rows::product(session.row(query::<ProductSql, _>(sql, (bind::<BigInt, _>(id.0),))).await?)
}

/// Counts what buyers have in a sale, or outside sales: a limit where there was none counts what was
/// bought before it. Reads all orders, under the lock: a rare act of an operator, which may take
/// longer than a settle.
pub(super) async fn recount_buyers(
    session: &Session,
    id: ProductId,
    sale: Option<SaleId>,
) -> Result<(), Fault> {
    session.allow(Duration::from_secs(60)).await?;
    session.batch("set local enable_seqscan = on").await?;
    let sale = sale.map_or(0, |sale| sale.0);
    let sql = "delete from buyers where product_id = ? and sale_id = ?";
    let binds = (bind::<BigInt, _>(id.0), bind::<BigInt, _>(sale));
    session.execute(command(sql, binds)).await?;
    let sql = "
        insert into buyers (product_id, sale_id, user_id, units)
        select product_id, coalesce(sale_id, 0), user_id, sum(quantity)::bigint from orders
        where product_id = ? and coalesce(sale_id, 0) = ?
            and status in ('RESERVED', 'PENDING', 'CONFIRMED', 'FULFILLED')
        group by product_id, coalesce(sale_id, 0), user_id";
    let binds = (bind::<BigInt, _>(id.0), bind::<BigInt, _>(sale));
    session.execute(command(sql, binds)).await.map(drop)
}

async fn note_movement(
    session: &Session,
    id: ProductId,
    delta: i64,
    why: &str,
    by: &Actor,
) -> Result<(), Fault> {
    if delta == 0 {
        return Ok(());
    }
    let sql = "insert into stock_movements (product_id, delta, why, who) values (?, ?, ?, ?)";
    let binds = (
        bind::<BigInt, _>(id.0),
        bind::<BigInt, _>(delta),
        bind::<Text, _>(why),
        bind::<Text, _>(by.name.as_str()),
    );
    session.execute(command(sql, binds)).await.map(drop)
}

pub(super) async fn raise_version(
    session: &Session,
    id: ProductId,
    delta: i64,
) -> Result<StockLevel, Fault> {
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

pub(super) async fn raise_catalogue_version(session: &Session) -> Result<(), Fault> {
    let sql = "update settings set value = (value::bigint + 1)::text
               where name = 'catalogue_version'";
    session.execute(command(sql, ())).await.map(drop)
}
