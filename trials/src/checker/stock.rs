//! I1, I2, I3, I13: units.

use std::collections::BTreeMap;

use shared::domain::{Counts, Order, ProductId, Reason, Status, StockLevel};

use super::evidence::Commits;
use super::{Evidence, Findings, Invariant};

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let levels = evidence.ledger.stock.iter().map(|(level, _)| *level);
    for level in evidence.commits.iter().map(|commit| commit.level).chain(levels) {
        conserved(level, findings);
    }
    let taken = taken(&evidence.ledger.orders);
    for (at, (level, moved)) in evidence.ledger.stock.iter().enumerate() {
        let id = level.product_id;
        let (reserved, sold) = taken.get(&id).copied().unwrap_or_default();
        findings.expect(reserved + sold <= *moved, Invariant::NoOversell, id, || {
            format!("{sold} sold and {reserved} held of {moved}")
        });
        let recomputed = Counts { total: *moved, reserved, sold };
        findings.expect(recomputed == level.counts, Invariant::Replay, id, || {
            format!("the orders say {recomputed:?}, the inventory {:?}", level.counts)
        });
        let sold_here = evidence.ledger.products.iter().any(|p| p.id == id && p.active);
        let gate = evidence.gate.get(at).copied().flatten();
        let in_line = gate.is_some_and(|gate| gate.free == level.counts.available());
        findings.expect(!sold_here || in_line, Invariant::NoUndersell, id, || {
            format!("the gate has {gate:?}, the ledger {:?}", level.counts)
        });
    }
    refusals_were_true(evidence, findings);
}

fn conserved(level: StockLevel, findings: &mut Findings) {
    let Counts { total, reserved, sold } = level.counts;
    let holds = total >= 0 && reserved >= 0 && sold >= 0 && total - reserved - sold >= 0;
    findings.expect(holds, Invariant::Conservation, level.product_id, || {
        format!("{:?} at version {}", level.counts, level.version)
    });
}

/// Units held and sold, by product, as the orders have it.
fn taken(orders: &[Order]) -> BTreeMap<ProductId, (i64, i64)> {
    let mut taken: BTreeMap<ProductId, (i64, i64)> = BTreeMap::new();
    for order in orders {
        let Some(terms) = &order.terms else { continue };
        let (reserved, sold) = taken.entry(terms.product_id).or_default();
        let units = i64::from(terms.quantity.units());
        match order.status {
            Status::Reserved | Status::Pending => *reserved += units,
            Status::Confirmed | Status::Fulfilled => *sold += units,
            _ => {}
        }
    }
    taken
}

/// A recorded "sold out" must have been so at the commit that recorded it: at some state that the
/// ledger may have been in at the millisecond of the decision there were too few units.
fn refusals_were_true(evidence: &Evidence, findings: &mut Findings) {
    let commits = Commits::of(evidence);
    if commits.is_empty() {
        return;
    }
    for order in &evidence.ledger.orders {
        let (Some(Reason::OutOfStock), Some(terms), Some(at)) =
            (order.reason, &order.terms, order.decided_at)
        else {
            continue;
        };
        let units = i64::from(terms.quantity.units());
        let short = |level: StockLevel| {
            let of_sale = level.sale.filter(|left| Some(left.sale_id) == terms.sale_id);
            let left = of_sale.map_or(i64::MAX, |left| left.sale_left);
            level.counts.available().min(left) < units
        };
        // What was visible then may be older, and what this very commit took is stamped later.
        let (since, until) =
            (at.plus_millis(-evidence.commit_ms), at.plus_millis(evidence.commit_ms));
        let mut then = commits.levels_between(terms.product_id, since, until);
        findings.expect(then.any(short), Invariant::NoUndersell, order.id, || {
            format!("refused {units} as sold out at {at}, when there were enough")
        });
    }
}
