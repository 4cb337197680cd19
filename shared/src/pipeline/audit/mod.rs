//! Audit: does what the ledger holds add up, and does the gate agree with it?
//!
//! While a sale is under way the gate may differ for a moment: claims are in flight. What counts is
//! that it agrees two seconds after the last commit, so what differs is looked at again for so long.

mod finding;
mod gate;
mod report;

pub use finding::{Case, Finding, Kind};
pub use report::{AuditReport, GateReport, ProductReport};

use crate::ports::{Ledger, LedgerError, StockGate};

/// Audits the ledger and compares the gate with it.
pub async fn audit(ledger: &dyn Ledger, gate: &dyn StockGate) -> Result<AuditReport, LedgerError> {
    let audit = ledger.audit().await?;
    let looks = gate::look(ledger, gate, &audit.products).await?;
    Ok(AuditReport::new(&audit, &looks))
}
