//! Audit: does what the ledger holds add up, and does the gate agree with it?
//!
//! While a sale is under way the gate may differ for a moment: claims are in flight. What counts is
//! that it agrees two seconds after the last commit.

use serde::Serialize;

use crate::domain::{Counts, ProductId};
use crate::ports::{GateLevel, Ledger, LedgerAudit, LedgerError, ProductAudit, StockGate};

/// What the gate holds of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GateReport {
    /// Units it would still give out.
    pub free: i64,
    /// The inventory version it was last brought in line with.
    pub version: i64,
}

/// The account of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductReport {
    /// The product.
    pub product_id: ProductId,
    /// All units there are.
    pub total: i64,
    /// Units that can still be bought.
    pub available: i64,
    /// Units held.
    pub reserved: i64,
    /// Units sold.
    pub sold: i64,
    /// The version of the inventory row.
    pub version: i64,
    /// `total = available + reserved + sold`, all ≥ 0.
    pub conserved: bool,
    /// Orders and stock movements add up to the inventory row.
    pub orders_match: bool,
    /// What the gate holds; nothing where it is away or does not know the product.
    pub gate: Option<GateReport>,
    /// The gate knows nothing, or as many free units as the ledger has available. Nobody keeps the
    /// gate of a product that is not sold; it is loaded when the product is activated again.
    pub gate_matches: bool,
}

/// The account of everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditReport {
    /// Every product, by number.
    pub products: Vec<ProductReport>,
    /// Orders waiting for an operator.
    pub parked: i64,
    /// Dead letters that wait for an operator.
    pub dead_letters: i64,
    /// Outbox rows not yet paid.
    pub outbox: i64,
    /// Every product is conserved, its orders match and its gate matches. Parked orders and dead
    /// letters want an operator but contradict nothing.
    pub healthy: bool,
}

/// Audits the ledger and compares the gate with it.
pub async fn audit(ledger: &dyn Ledger, gate: &dyn StockGate) -> Result<AuditReport, LedgerError> {
    let audit = ledger.audit().await?;
    let products: Vec<_> = audit.products.iter().map(|product| product.level.product_id).collect();
    // A gate that is away contradicts nothing.
    let levels = gate.levels(&products).await.unwrap_or_else(|_| vec![None; products.len()]);
    Ok(compare(&audit, &levels))
}

/// The comparison itself; `gate` lines up with the audit's products.
fn compare(audit: &LedgerAudit, gate: &[Option<GateLevel>]) -> AuditReport {
    let known = gate.iter().copied().chain(std::iter::repeat(None));
    let mut products: Vec<_> =
        audit.products.iter().zip(known).map(|(product, gate)| report(product, gate)).collect();
    products.sort_by_key(|product| product.product_id);
    let healthy = products.iter().all(|p| p.conserved && p.orders_match && p.gate_matches);
    AuditReport {
        products,
        parked: audit.parked,
        dead_letters: audit.dead_letters,
        outbox: audit.dues,
        healthy,
    }
}

fn report(product: &ProductAudit, gate: Option<GateLevel>) -> ProductReport {
    let counts = product.level.counts;
    let Counts { total, reserved, sold } = counts;
    ProductReport {
        product_id: product.level.product_id,
        total,
        available: counts.available(),
        reserved,
        sold,
        version: product.level.version,
        conserved: counts.is_conserved(),
        orders_match: product.recomputed == counts,
        gate: gate.map(|GateLevel { free, version }| GateReport { free, version }),
        gate_matches: !product.active || gate.is_none_or(|gate| gate.free == counts.available()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::StockLevel;

    fn product(counts: Counts, recomputed: Counts) -> LedgerAudit {
        let level = StockLevel { product_id: ProductId(1), counts, version: 4, sale: None };
        let audit =
            ProductAudit { level, active: true, recomputed, orders_taken: 0, orders_rejected: 0 };
        LedgerAudit { products: vec![audit], ..LedgerAudit::default() }
    }

    const SOLD_3: Counts = Counts { total: 10, reserved: 0, sold: 3 };

    #[test]
    fn what_adds_up_is_healthy() {
        let audit = product(SOLD_3, SOLD_3);
        assert!(compare(&audit, &[Some(GateLevel { free: 7, version: 4 })]).healthy);
        assert!(compare(&audit, &[None]).healthy);
    }

    #[test]
    fn every_contradiction_is_found() {
        let oversold = Counts { total: 2, ..SOLD_3 };
        assert!(!compare(&product(oversold, oversold), &[None]).healthy);
        assert!(!compare(&product(SOLD_3, Counts { sold: 2, ..SOLD_3 }), &[None]).healthy);
        let behind = Some(GateLevel { free: 8, version: 3 });
        assert!(!compare(&product(SOLD_3, SOLD_3), &[behind]).healthy);
        let mut inactive = product(SOLD_3, SOLD_3);
        inactive.products[0].active = false;
        assert!(compare(&inactive, &[behind]).healthy);
    }
}
