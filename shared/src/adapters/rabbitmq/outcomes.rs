//! How orders travel on `purchase.outcomes`.
//!
//! A batch settles hundreds of orders that differ in three things only: ID, buyer and moment of
//! acceptance. What they share is said once for all of them, which spares every API instance two
//! thirds of the reading:
//!
//! ```json
//! {"settled":[{"of":{"productId":1,"quantity":1,"unitPrice":{"minor":99999,"currency":"USD"},
//!                    "status":"CONFIRMED","decidedAt":1764406800123},
//!              "orders":[["019a9d2e-3c00-8000-8000-9f0c6a1b2c3d","u-1",1764406800007]]}],
//!  "outcomes":[]}
//! ```
//!
//! Orders of whom there is more to say (holds, repeats, later versions) travel whole, in `outcomes`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    Money, Order, ProductId, Quantity, Reason, SaleId, Status, Terms, Timestamp, TrackingId, UserId,
};

/// What settled orders have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Common {
    product_id: ProductId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sale_id: Option<SaleId>,
    quantity: Quantity,
    unit_price: Money,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    decided_at: Timestamp,
}

impl Common {
    /// `None` if these and a row do not say all there is to say.
    fn of(order: &Order) -> Option<(Self, &UserId)> {
        let whole = order.version != 1
            || order.replay_of.is_some()
            || order.expires_at.is_some()
            || order.pay_by.is_some()
            || order.reclaims.is_some();
        let Terms { product_id, sale_id, user_id, quantity, unit_price } = order.terms.as_ref()?;
        let common = Self {
            product_id: *product_id,
            sale_id: *sale_id,
            quantity: *quantity,
            unit_price: *unit_price,
            status: order.status,
            reason: order.reason,
            decided_at: order.decided_at?,
        };
        (!whole).then_some((common, user_id))
    }

    fn order(&self, Row(id, user_id, accepted_at): Row) -> Order {
        let terms = Terms {
            product_id: self.product_id,
            sale_id: self.sale_id,
            user_id,
            quantity: self.quantity,
            unit_price: self.unit_price,
        };
        Order {
            terms: Some(terms),
            status: self.status,
            reason: self.reason,
            accepted_at,
            decided_at: Some(self.decided_at),
            version: 1,
            ..Order::queued(id)
        }
    }
}

/// ID, buyer, moment of acceptance.
#[derive(Serialize, Deserialize)]
struct Row(TrackingId, UserId, Timestamp);

#[derive(Serialize, Deserialize)]
struct Group {
    of: Common,
    orders: Vec<Row>,
}

#[derive(Default, Serialize, Deserialize)]
struct Outcomes {
    #[serde(default)]
    settled: Vec<Group>,
    #[serde(default)]
    outcomes: Vec<Arc<Order>>,
}

/// Writes the body of a message.
pub(super) fn write(orders: &[Arc<Order>]) -> Vec<u8> {
    let mut message = Outcomes::default();
    for order in orders {
        let Some((of, user_id)) = Common::of(order) else {
            message.outcomes.push(Arc::clone(order));
            continue;
        };
        let row = Row(order.id, user_id.clone(), order.accepted_at);
        // Neighbours are mostly alike.
        match message.settled.iter_mut().rfind(|group| group.of == of) {
            Some(group) => group.orders.push(row),
            None => message.settled.push(Group { of, orders: vec![row] }),
        }
    }
    let mut body = Vec::with_capacity(256 + orders.len() * 100);
    // Writing plain values into memory has no way to fail.
    let _ = serde_json::to_writer(&mut body, &message);
    body
}

/// Reads the body of a message.
pub(super) fn read(body: &[u8]) -> Result<Vec<Arc<Order>>, serde_json::Error> {
    let Outcomes { settled, mut outcomes } = serde_json::from_slice(body)?;
    for Group { of, orders } in settled {
        outcomes.extend(orders.into_iter().map(|row| Arc::new(of.order(row))));
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{id, purchase};

    fn settled(n: u128, status: Status) -> Order {
        let terms = Some(purchase(n, "u-1", 2).terms);
        let decided_at = Some(Timestamp::from_millis(1_700_000_000_000));
        let accepted_at = Timestamp::from_millis(1_600_000_000_000 + n as i64);
        Order { terms, status, decided_at, accepted_at, version: 1, ..Order::queued(id(n)) }
    }

    #[test]
    fn what_was_written_is_read() {
        let confirmed = settled(1, Status::Confirmed);
        let sold_out = Order { reason: Some(Reason::OutOfStock), ..settled(2, Status::Rejected) };
        let orders = [
            confirmed.clone(),
            sold_out,
            settled(3, Status::Confirmed),
            Order { expires_at: confirmed.decided_at, ..settled(4, Status::Reserved) },
            Order { replay_of: Some(id(1)), ..settled(5, Status::Rejected) },
            Order { version: 2, ..settled(6, Status::Cancelled) },
            Order { reclaims: Some(id(4)), ..settled(7, Status::Confirmed) },
            Order { pay_by: confirmed.decided_at, version: 2, ..settled(8, Status::Pending) },
            Order::parked(id(9)),
        ];
        let orders = orders.map(Arc::new);
        let mut read = read(&write(&orders)).unwrap();
        read.sort_unstable_by_key(|order| order.id);
        assert_eq!(read, orders);
    }

    #[test]
    fn what_is_common_is_said_once() {
        let orders = [1, 2, 3].map(|n| Arc::new(settled(n, Status::Confirmed)));
        let text = String::from_utf8(write(&orders)).unwrap();
        assert_eq!(text.matches("CONFIRMED").count(), 1, "{text}");
    }
}
