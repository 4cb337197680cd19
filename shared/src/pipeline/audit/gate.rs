//! The gate beside the ledger, with patience: what is under way has two seconds to arrive.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::finding::{Case, Kind};
use crate::domain::{ProductId, StockLevel};
use crate::ports::{GateLevel, Ledger, LedgerError, ProductAudit, StockGate};

/// Gate and ledger agree so long after the last commit.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What the gate has of a product, and what is wrong with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) gate: Option<GateLevel>,
    pub(super) fault: Option<Fault>,
}

/// A gate that does not agree, and the ledger's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Differs { expected: i64 },
    Ahead { expected: i64 },
}

impl Look {
    fn new(product: &ProductAudit, gate: Option<GateLevel>, after: &StockLevel) -> Self {
        let fault = gate.and_then(|gate| judge(&product.level, gate, after));
        // Nobody keeps the gate of a product that is not sold; it is loaded when the product is
        // activated again, unless it is ahead.
        let counts = |fault: &Fault| product.active || matches!(fault, Fault::Ahead { .. });
        Self { gate, fault: fault.filter(counts) }
    }

    pub(super) fn case(&self, product: ProductId) -> Option<(Kind, Case)> {
        let gate = self.gate?;
        Some(match self.fault? {
            Fault::Differs { expected } => {
                (Kind::GateDiffers, Case::of(product, "free", gate.free, expected))
            }
            Fault::Ahead { expected } => {
                (Kind::GateAhead, Case::of(product, "version", gate.version, expected))
            }
        })
    }
}

/// What is wrong with a gate that was read after the ledger was at `before`, and before it was at
/// `after`.
fn judge(before: &StockLevel, gate: GateLevel, after: &StockLevel) -> Option<Fault> {
    let expected = after.counts.available();
    if gate.version > after.version {
        return Some(Fault::Ahead { expected: after.version });
    }
    // It has followed, and the ledger has gone on since. Or units are claimed and not sold yet: then
    // others were sold meanwhile, or they come back before long.
    let follows = gate.version >= before.version && gate.version < after.version;
    let claimed =
        gate.version == after.version && gate.free < expected && after.version > before.version;
    (gate.free != expected && !follows && !claimed).then_some(Fault::Differs { expected })
}

/// Looks at the gate of all products, and again at what differs for as long as it may be under way.
pub(super) async fn look(
    ledger: &dyn Ledger,
    gate: &dyn StockGate,
    products: &[ProductAudit],
) -> Result<Vec<Look>, LedgerError> {
    let ids: Vec<_> = products.iter().map(|product| product.level.product_id).collect();
    // A gate that is away contradicts nothing.
    let Ok(levels) = gate.levels(&ids).await else {
        return Ok(vec![Look::default(); products.len()]);
    };
    let first = products.iter().zip(levels);
    let mut looks: Vec<_> =
        first.map(|(product, gate)| Look::new(product, gate, &product.level)).collect();
    let give_up = Instant::now() + PATIENCE;
    loop {
        let open: Vec<_> = (0..looks.len()).filter(|&place| looks[place].fault.is_some()).collect();
        if open.is_empty() || !again(ledger, gate, products, &open, &mut looks).await? {
            return Ok(looks);
        }
        if Instant::now() >= give_up {
            return Ok(looks);
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Looks at those at `open` again; false if the gate is away.
async fn again(
    ledger: &dyn Ledger,
    gate: &dyn StockGate,
    products: &[ProductAudit],
    open: &[usize],
    looks: &mut [Look],
) -> Result<bool, LedgerError> {
    let ids: Vec<_> = open.iter().map(|&place| products[place].level.product_id).collect();
    let Ok(levels) = gate.levels(&ids).await else { return Ok(false) };
    // Read after the gate: it can only have what the ledger has by now.
    let after = ledger.stock(&ids).await?;
    let after: HashMap<_, _> = after.iter().map(|level| (level.product_id, level)).collect();
    for (&place, gate) in open.iter().zip(levels) {
        let product = &products[place];
        if let Some(after) = after.get(&product.level.product_id) {
            looks[place] = Look::new(product, gate, after);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Counts;

    fn ledger(version: i64, available: i64) -> StockLevel {
        let counts = Counts { total: 10, reserved: 0, sold: 10 - available };
        StockLevel { product_id: ProductId(1), counts, version, sale: None }
    }

    fn fault(before: StockLevel, gate: (i64, i64), after: StockLevel) -> Option<Fault> {
        let (version, free) = gate;
        judge(&before, GateLevel { free, version }, &after)
    }

    #[test]
    fn what_follows_the_ledger_agrees() {
        let (before, after) = (ledger(3, 8), ledger(6, 5));
        assert_eq!(fault(before, (3, 8), before), None);
        assert_eq!(fault(before, (4, 7), after), None, "the ledger has gone on");
        assert_eq!(fault(before, (6, 5), after), None);
        assert_eq!(fault(before, (6, 1), after), None, "claimed");
        assert_eq!(fault(before, (2, 8), before), None, "the same units");
    }

    #[test]
    fn what_no_commit_and_no_claim_explains_differs() {
        let (before, after) = (ledger(3, 8), ledger(6, 5));
        let differs = |expected| Some(Fault::Differs { expected });
        assert_eq!(fault(before, (3, 9), before), differs(8), "too many");
        assert_eq!(fault(before, (3, 7), before), differs(8), "too few, and nothing is sold");
        assert_eq!(fault(before, (6, 6), after), differs(5), "too many");
        assert_eq!(fault(before, (2, 9), after), differs(5), "it does not follow");
        assert_eq!(fault(before, (7, 4), after), Some(Fault::Ahead { expected: 6 }));
    }
}
