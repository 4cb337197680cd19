//! Between columns and the domain's types.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use crate::domain::stock::SaleLeft;
use crate::domain::{
    Counts, Currency, Fingerprint, IdempotencyKey, InvalidId, Keyed, Money, Order, Payment,
    PaymentRef, Product, ProductId, Quantity, Reason, Refund, Sale, SaleId, Sku, Status,
    StockLevel, Terms, Timestamp, TrackingId, UserId,
};

/// PostgreSQL counts microseconds from 2000-01-01.
const PG_EPOCH_MS: i64 = 946_684_800_000;

/// A moment for the database. One outside its range stays outside it (and is refused there, as
/// the fault of whoever made it), but never becomes `infinity`, which is the largest number.
pub(super) fn to_pg(at: Timestamp) -> PgTimestamp {
    let micros = at.millis().saturating_sub(PG_EPOCH_MS).saturating_mul(1_000);
    PgTimestamp(micros.clamp(i64::MIN + 1, i64::MAX - 1))
}

/// A moment from the database.
pub(super) fn from_pg(at: PgTimestamp) -> Timestamp {
    Timestamp::from_millis(at.0.div_euclid(1_000).saturating_add(PG_EPOCH_MS))
}

/// A number that is never negative in the database, and of which more than `u32` never comes.
pub(super) fn to_u32(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// A value that our own checks let in and now refuse: somebody else wrote it.
fn unreadable(what: &str, id: impl std::fmt::Display) -> Fault {
    Fault::outage(format!("{what} {id} in the database cannot be read"))
}

/// The columns of an order, in the order of [`OrderSql`].
macro_rules! order_columns {
    () => {
        "o.id, o.product_id, o.sale_id, o.user_id, o.quantity, o.unit_price_minor, o.currency, \
         o.status, o.reason, o.replay_of, o.accepted_at, o.decided_at, o.version, \
         o.idempotency_key, o.fingerprint, \
         o.expires_at, o.pay_by, o.reclaims, o.payment_method, o.payment_reference, \
         o.shipping_address::text, o.refund_due_at, o.refund_references::text"
    };
}
pub(super) use order_columns;

/// What a settle writes, and what happens afterwards.
pub(super) type OrderSql = (SettledSql, LifeSql);
pub(super) type OrderRow = (SettledRow, LifeRow);

type SettledSql = (
    SqlUuid,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Text>,
    Text,
    Nullable<Text>,
    Nullable<SqlUuid>,
    Timestamptz,
    Nullable<Timestamptz>,
    BigInt,
    Nullable<Text>,
    Nullable<BigInt>,
);

type SettledRow = (
    Uuid,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    String,
    Option<String>,
    Option<Uuid>,
    PgTimestamp,
    Option<PgTimestamp>,
    i64,
    Option<String>,
    Option<i64>,
);

type LifeSql = (
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Nullable<SqlUuid>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Timestamptz>,
    Nullable<Text>,
);

type LifeRow = (
    Option<PgTimestamp>,
    Option<PgTimestamp>,
    Option<Uuid>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<PgTimestamp>,
    Option<String>,
);

/// An order as stored.
pub(super) fn order((settled, life): OrderRow) -> Result<Order, Fault> {
    let id = TrackingId(settled.0);
    read_settled(settled)
        .and_then(|order| read_life(order, life))
        .ok_or_else(|| unreadable("order", id))
}

fn read_settled(row: SettledRow) -> Option<Order> {
    let (id, product, sale, user, quantity, price, currency, status, reason, ..) = row;
    let (.., replay_of, accepted_at, decided_at, version, key, fingerprint) = row;
    let terms = match (product, user, quantity, price, currency) {
        (Some(product), Some(user), Some(quantity), Some(minor), Some(currency)) => Some(Terms {
            product_id: ProductId(product),
            sale_id: sale.map(SaleId),
            user_id: UserId::parse(user).ok()?,
            quantity: Quantity::parse(quantity, u32::MAX)?,
            unit_price: Money { minor, currency: Currency::parse(&currency).ok()? },
        }),
        _ => None,
    };
    let keyed = match (key, fingerprint) {
        (Some(key), Some(fingerprint)) => Some(Keyed {
            key: IdempotencyKey::parse(key).ok()?,
            fingerprint: Fingerprint(fingerprint),
        }),
        _ => None,
    };
    let reason = match reason {
        Some(name) => Some(Reason::from_name(&name)?),
        None => None,
    };
    Some(Order {
        terms,
        status: Status::from_name(&status)?,
        reason,
        replay_of: replay_of.map(TrackingId),
        accepted_at: from_pg(accepted_at),
        decided_at: decided_at.map(from_pg),
        version,
        keyed,
        ..Order::queued(TrackingId(id))
    })
}

fn read_life(order: Order, row: LifeRow) -> Option<Order> {
    let (expires_at, pay_by, reclaims, method, reference, shipping, refund_due_at, refunds) = row;
    let payment = match reference {
        Some(reference) => Some(Box::new(Payment {
            reference: PaymentRef::parse(reference).ok()?,
            method: method.map(Into::into),
            shipping_address: shipping.map(Into::into),
        })),
        None => None,
    };
    let refund = match (refund_due_at, refunds) {
        (Some(due_at), Some(references)) => Some(Box::new(Refund {
            due_at: from_pg(due_at),
            references: serde_json::from_str(&references).ok()?,
        })),
        _ => None,
    };
    Some(Order {
        expires_at: expires_at.map(from_pg),
        pay_by: pay_by.map(from_pg),
        reclaims: reclaims.map(TrackingId),
        payment,
        refund,
        ..order
    })
}

/// The columns of a stock level, in the order of [`LevelSql`], of `i` (counts) and `s` (see
/// [`live_capped_sale`]).
macro_rules! level_columns {
    () => {
        "i.product_id, i.total, i.reserved, i.sold, i.version, s.id, s.quantity - s.taken"
    };
}
pub(super) use level_columns;

/// Joins `s`: the live sale of product `i.product_id` that has a quantity, if there is one.
macro_rules! live_capped_sale {
    () => {
        " left join lateral (
              select id, quantity, taken from sales
              where sales.product_id = i.product_id and quantity is not null
                  and cancelled_at is null
                  and tstzrange(starts_at, ends_at) @> statement_timestamp()
              limit 1
          ) s on true "
    };
}
pub(super) use live_capped_sale;

pub(super) type LevelSql =
    (BigInt, BigInt, BigInt, BigInt, BigInt, Nullable<BigInt>, Nullable<BigInt>);
pub(super) type LevelRow = (i64, i64, i64, i64, i64, Option<i64>, Option<i64>);

pub(super) fn level(row: LevelRow) -> StockLevel {
    let (product_id, total, reserved, sold, version, sale_id, sale_left) = row;
    let sale =
        sale_id.zip(sale_left).map(|(id, sale_left)| SaleLeft { sale_id: SaleId(id), sale_left });
    let counts = Counts { total, reserved, sold };
    StockLevel { product_id: ProductId(product_id), counts, version, sale }
}

/// The columns of a product, in the order of [`ProductSql`].
macro_rules! product_columns {
    () => {
        "p.id, p.sku, p.name, p.description, p.category, p.image_url, p.price_minor, p.currency, \
         p.per_user_limit, p.active"
    };
}
pub(super) use product_columns;

pub(super) type ProductSql =
    (BigInt, Text, Text, Text, Text, Nullable<Text>, BigInt, Text, Nullable<BigInt>, Bool);
pub(super) type ProductRow =
    (i64, String, String, String, String, Option<String>, i64, String, Option<i64>, bool);

pub(super) fn product(row: ProductRow) -> Result<Product, Fault> {
    let (id, sku, name, description, category, image_url, minor, currency, limit, active) = row;
    let bad = |_: InvalidId| unreadable("product", id);
    let currency = Currency::parse(&currency).map_err(|_| unreadable("product", id))?;
    Ok(Product {
        id: ProductId(id),
        sku: Sku::parse(sku).map_err(bad)?,
        name,
        description,
        category,
        image_url,
        price: Money { minor, currency },
        per_user_limit: limit.map(to_u32),
        active,
    })
}

/// The columns of a sale `s` of product `p`, in the order of [`SaleSql`].
macro_rules! sale_columns {
    () => {
        "s.id, s.product_id, s.price_minor, p.currency, s.starts_at, s.ends_at, \
         s.per_user_limit, s.hold_seconds, s.quantity, s.taken, s.cancelled_at is not null, \
         s.waiting_room::text"
    };
}
pub(super) use sale_columns;

pub(super) type SaleSql = (
    BigInt,
    BigInt,
    BigInt,
    Text,
    Timestamptz,
    Timestamptz,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    BigInt,
    Bool,
    Nullable<Text>,
);
pub(super) type SaleRow = (
    i64,
    i64,
    i64,
    String,
    PgTimestamp,
    PgTimestamp,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
    bool,
    Option<String>,
);

pub(super) fn sale(row: SaleRow) -> Result<Sale, Fault> {
    let (id, product_id, minor, currency, starts_at, ends_at, limit, hold, quantity, ..) = row;
    let (.., taken, cancelled, room) = row;
    let room = room.map(|rules| serde_json::from_str(&rules)).transpose();
    let waiting_room = room.map_err(|_| unreadable("sale", id))?;
    let currency = Currency::parse(&currency).map_err(|_| unreadable("sale", id))?;
    Ok(Sale {
        id: SaleId(id),
        product_id: ProductId(product_id),
        price: Money { minor, currency },
        starts_at: from_pg(starts_at),
        ends_at: from_pg(ends_at),
        per_user_limit: limit.map(to_u32),
        hold_seconds: hold.map(to_u32),
        quantity,
        taken,
        cancelled,
        waiting_room,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_the_database() {
        for ms in [0, 7, -1, 1_700_000_000_007] {
            let at = Timestamp::from_millis(ms);
            assert_eq!(from_pg(to_pg(at)), at);
        }
    }

    #[test]
    fn a_moment_outside_the_range_never_becomes_infinity() {
        for ms in [i64::MIN, i64::MAX] {
            let PgTimestamp(micros) = to_pg(Timestamp::from_millis(ms));
            assert!(micros != i64::MIN && micros != i64::MAX);
        }
    }
}
