//! What the servers hold, read by statements of our own: the checker trusts nothing that it checks.

use anyhow::Result;
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use serde::de::DeserializeOwned;
use shared::adapters::embedded::Contents;
use shared::domain::stock::SaleLeft;
use shared::domain::{
    Counts, Fingerprint, IdempotencyKey, Keyed, Money, Order, Product, ProductId, Sale, SaleId,
    Sku, StockLevel, Timestamp, TrackingId, UserId,
};
use shared::ports::{DeadLetter, GateLevel};
use tokio_postgres::{Client, NoTls, Row};

use crate::checker::Commit;

const ORDERS: &str = "
    select json_build_object(
        'id', id, 'status', status, 'reason', reason, 'replayOf', replay_of, 'reclaims', reclaims,
        'acceptedAt', ms(accepted_at), 'decidedAt', ms(decided_at), 'expiresAt', ms(expires_at),
        'payBy', ms(pay_by), 'version', version,
        'terms', case when user_id is not null then json_build_object(
            'productId', product_id, 'saleId', sale_id, 'userId', user_id, 'quantity', quantity,
            'unitPrice', json_build_object('minor', unit_price_minor, 'currency', currency)) end
    )::text, idempotency_key, fingerprint
    from orders order by id";

const STOCK: &str = "
    select product_id, version, total, reserved, sold,
        (select coalesce(sum(delta), 0)::bigint from stock_movements m where m.product_id = i.product_id)
    from inventory i order by product_id";

/// A session of our own with the ledger, with what the statements above use.
pub(super) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let ms = "create or replace function pg_temp.ms(timestamptz) returns bigint language sql
        return floor(extract(epoch from $1) * 1000)::bigint";
    client.batch_execute(ms).await?;
    Ok(client)
}

/// Everything in the ledger.
pub(super) async fn ledger(client: &Client) -> Result<Contents> {
    let orders = ORDERS.replace("ms(", "pg_temp.ms(");
    let dues: i64 = client.query_one("select count(*) from outbox", &[]).await?.get(0);
    let products =
        "select id, sku, name, price_minor, currency, per_user_limit, active from products
        order by id";
    let sales = "select id, product_id, price_minor, pg_temp.ms(starts_at), pg_temp.ms(ends_at),
        per_user_limit, hold_seconds, quantity, taken, cancelled_at is not null,
        (select currency from products p where p.id = product_id) from sales order by id";
    let bought =
        "select product_id, nullif(sale_id, 0), user_id, units from buyers order by 1, 2, 3";
    let letters = "select order_id, body, error from dead_letters order by id";
    Ok(Contents {
        products: all(client, products, product).await?,
        stock: all(client, STOCK, |row| Ok((level(row), row.get(5)))).await?,
        sales: all(client, sales, sale).await?,
        orders: all(client, &orders, order).await?,
        bought: all(client, bought, |row| {
            let (product, sale) = (ProductId(row.get(0)), row.get::<_, Option<i64>>(1).map(SaleId));
            let units = u32::try_from(row.get::<_, i64>(3))?;
            Ok(((product, sale, UserId::parse(row.get::<_, String>(2))?), units))
        })
        .await?,
        letters: all(client, letters, |row| {
            let order_id = row.get::<_, Option<uuid::Uuid>>(0).map(TrackingId);
            Ok(DeadLetter { order_id, body: row.get(1), error: row.get(2) })
        })
        .await?,
        dues: usize::try_from(dues)?,
    })
}

/// Every commit that changed stock.
pub(super) async fn commits(client: &Client) -> Result<Vec<Commit>> {
    let commits = "select product_id, version, total, reserved, sold, at, sale_id, sale_left
        from trial_commits order by at, product_id, version";
    all(client, commits, |row| {
        let sale = row.get::<_, Option<i64>>(6).zip(row.get::<_, Option<i64>>(7));
        let sale = sale.map(|(id, sale_left)| SaleLeft { sale_id: SaleId(id), sale_left });
        let level = StockLevel { sale, ..level(row) };
        Ok(Commit { at: Timestamp::from_millis(row.get(5)), level })
    })
    .await
}

/// Messages that wait to be settled.
pub(super) async fn waiting(client: &Client) -> Result<(i64, i64)> {
    let row = client
        .query_one(
            "select (select count(*) from outbox), (select count(*) from orders
                where status in ('RESERVED', 'PENDING'))",
            &[],
        )
        .await?;
    Ok((row.get(0), row.get(1)))
}

/// What the gate holds of these products.
pub(super) async fn gate(url: &str, products: &[ProductId]) -> Result<Vec<Option<GateLevel>>> {
    let mut redis = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let mut levels = vec![];
    for product in products {
        let (free, version): (Option<i64>, Option<i64>) = redis::cmd("HMGET")
            .arg(format!("{{p:{product}}}:gate"))
            .arg(&["free", "version"])
            .query_async(&mut redis)
            .await?;
        levels.push(free.zip(version).map(|(free, version)| GateLevel { free, version }));
    }
    Ok(levels)
}

/// How many messages wait to be settled, and the bodies of all dead ones (which stay where they are).
pub(super) async fn queues(url: &str) -> Result<(u64, Vec<Vec<u8>>)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("purchases".into(), passive, FieldTable::default()).await?;
    let mut dead = vec![];
    while let Some(message) =
        channel.basic_get("purchases.dead".into(), BasicGetOptions::default()).await?
    {
        dead.push(message.delivery.data);
    }
    // What is not acknowledged goes back with the connection.
    connection.close(200, "done".into()).await?;
    Ok((u64::from(queue.message_count()), dead))
}

async fn all<T>(client: &Client, sql: &str, read: impl Fn(&Row) -> Result<T>) -> Result<Vec<T>> {
    client.query(sql, &[]).await?.iter().map(read).collect()
}

fn order(row: &Row) -> Result<Order> {
    let mut order: Order = serde_json::from_str(row.get(0))?;
    if let (Some(key), Some(print)) =
        (row.get::<_, Option<String>>(1), row.get::<_, Option<i64>>(2))
    {
        order.keyed =
            Some(Keyed { key: IdempotencyKey::parse(key)?, fingerprint: Fingerprint(print) });
    }
    Ok(order)
}

fn level(row: &Row) -> StockLevel {
    let counts = Counts { total: row.get(2), reserved: row.get(3), sold: row.get(4) };
    let (product_id, version) = (ProductId(row.get(0)), row.get(1));
    StockLevel { product_id, counts, version, sale: None }
}

fn product(row: &Row) -> Result<Product> {
    Ok(Product {
        id: ProductId(row.get(0)),
        sku: Sku::parse(row.get::<_, String>(1))?,
        name: row.get(2),
        description: String::new(),
        category: String::new(),
        image_url: None,
        price: money(row.get(3), row.get(4))?,
        per_user_limit: small(row.get(5))?,
        active: row.get(6),
    })
}

fn sale(row: &Row) -> Result<Sale> {
    Ok(Sale {
        id: SaleId(row.get(0)),
        product_id: ProductId(row.get(1)),
        price: money(row.get(2), row.get(10))?,
        starts_at: Timestamp::from_millis(row.get(3)),
        ends_at: Timestamp::from_millis(row.get(4)),
        per_user_limit: small(row.get(5))?,
        hold_seconds: small(row.get(6))?,
        waiting_room: None,
        quantity: row.get(7),
        taken: row.get(8),
        cancelled: row.get(9),
    })
}

fn small(number: Option<i64>) -> Result<Option<u32>> {
    Ok(number.map(u32::try_from).transpose()?)
}

fn money(minor: i64, currency: &str) -> Result<Money> {
    Ok(Money { minor, currency: parse(currency)? })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_json::from_value(text.into())?)
}
