//! What `doorbuster dev` shows beside the demo products: a sale that is on, one to come and one with a
//! waiting room, counted from its start.

use anyhow::{Context as _, Result};
use shared::domain::room::RoomRules;
use shared::domain::{Actor, ProductRef, Sku, Timestamp};
use shared::ports::{Ledger, NewSale};

const MINUTE_MS: i64 = 60_000;

/// A sale of the demo shop.
struct Planned {
    sku: &'static str,
    price_minor: i64,
    /// Units it may sell.
    quantity: Option<i64>,
    /// Units one user may buy in it.
    per_user_limit: Option<u32>,
    waiting_room: Option<RoomRules>,
    /// Opens so many minutes after the start.
    opens_min: i64,
    /// Closes so many minutes after the start.
    closes_min: i64,
}

const SALES: &[Planned] = &[
    // It is on, and ends while somebody plays with it for long.
    Planned {
        sku: "SNEAKER-AIR",
        price_minor: 12_900,
        quantity: Some(150),
        per_user_limit: Some(2),
        waiting_room: None,
        opens_min: 0,
        closes_min: 120,
    },
    // It opens while somebody looks around.
    Planned {
        sku: "TICKET-FINAL",
        price_minor: 9_000,
        quantity: Some(80),
        per_user_limit: Some(2),
        waiting_room: None,
        opens_min: 5,
        closes_min: 180,
    },
    // Its line moves slowly enough to be seen once a crowd has joined it.
    Planned {
        sku: "CAMERA-X",
        price_minor: 54_900,
        quantity: None,
        per_user_limit: Some(1),
        waiting_room: Some(RoomRules {
            admit_per_second: 5,
            max_inside: 200,
            pass_seconds: 60,
            patience_seconds: 45,
            pre_queue_seconds: 0,
        }),
        opens_min: 0,
        closes_min: 120,
    },
];

/// Plans the sales of the demo shop, counted from `now`.
pub(crate) async fn plan(ledger: &dyn Ledger, now: Timestamp) -> Result<()> {
    for sale in SALES {
        let new = NewSale {
            product: ProductRef::Sku(Sku::parse(sale.sku)?),
            price_minor: sale.price_minor,
            starts_at: now.plus_millis(sale.opens_min * MINUTE_MS),
            ends_at: now.plus_millis(sale.closes_min * MINUTE_MS),
            per_user_limit: sale.per_user_limit,
            hold_seconds: None,
            quantity: sale.quantity,
            waiting_room: sale.waiting_room,
        };
        let planned = ledger.create_sale(&new, &Actor::local("cli:dev")).await;
        planned.with_context(|| format!("planning the demo sale of {}", sale.sku))?;
    }
    Ok(())
}
