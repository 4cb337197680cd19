//! The ledger after the run, once gate and boards have come to rest.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::shop::{Audit, AuditedProduct, Shop, Stock};
use crate::stampede::error::StampedeError;

/// Gate and boards agree with the ledger 2 s after the last commit. What a killed program left in the
/// outbox is leased to it for 5 s, and swept within a second after that. This is generous.
const SETTLES_WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What the ledger says about the product, and the operators' counts.
#[derive(Debug, Clone, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
pub struct Ledger {
    /// Units there ever were.
    pub total: i64,
    /// Units left.
    pub available: i64,
    /// Units held.
    pub reserved: i64,
    /// Units sold.
    pub sold: i64,
    /// Changes of this product's stock.
    pub version: i64,
    /// total = available + reserved + sold, all at least 0.
    pub conserved: bool,
    /// The orders add up to the inventory.
    pub orders_match: bool,
    /// What Redis believes is left; `None` where it believes nothing.
    pub gate_free: Option<i64>,
    /// Redis agrees with the ledger.
    pub gate_matches: bool,
    /// The API's stock board agrees with the ledger.
    pub board_matches: bool,
    /// Parked orders in the whole ledger.
    pub parked: u64,
    /// Dead letters in the whole ledger.
    pub dead_letters: u64,
    /// Announcements still owed in the whole ledger.
    pub outbox: u64,
    /// The audit's own summary of the whole ledger.
    pub healthy: bool,
    /// Parked orders and dead letters that this run added.
    pub added_for_operators: u64,
}

impl Ledger {
    fn new(stock: Stock, audit: &Audit, product: &AuditedProduct, before: &Audit) -> Self {
        Self {
            total: product.total,
            available: product.available,
            reserved: product.reserved,
            sold: product.sold,
            version: product.version,
            conserved: product.conserved,
            orders_match: product.orders_match,
            gate_free: product.gate.map(|gate| gate.free),
            gate_matches: product.gate_matches,
            board_matches: (stock.available, stock.reserved, stock.sold)
                == (product.available, product.reserved, product.sold),
            parked: audit.parked,
            dead_letters: audit.dead_letters,
            outbox: audit.outbox,
            healthy: audit.healthy,
            added_for_operators: audit.parked.saturating_sub(before.parked)
                + audit.dead_letters.saturating_sub(before.dead_letters),
        }
    }

    fn is_at_rest(&self) -> bool {
        self.conserved
            && self.orders_match
            && self.gate_matches
            && self.board_matches
            && self.outbox == 0
    }
}

/// Audits until everything has come to rest, or does not within 5 s: then as it is.
pub(crate) async fn settled(
    shop: &mut Shop,
    product: i64,
    before: &Audit,
) -> Result<Ledger, StampedeError> {
    let give_up = Instant::now() + SETTLES_WITHIN;
    loop {
        let stock = shop.stock(product).await?;
        let audit = shop.audit().await?;
        let found = audit.product(product).ok_or(StampedeError::NotAudited(product))?;
        let ledger = Ledger::new(stock, &audit, found, before);
        if ledger.is_at_rest() || Instant::now() >= give_up {
            return Ok(ledger);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
