//! The report: every product with its counts, and what was found.

use serde::Serialize;

use super::finding::{Case, Finding, Kind};
use super::gate::Look;
use crate::domain::{Counts, ProductId};
use crate::ports::{BuyerMiscount, GateLevel, LedgerAudit, ProductAudit, SaleMiscount};

/// What is owed is announced within milliseconds; what a killed program left is leased to it for five
/// seconds and swept within another. Older than this, in milliseconds, it wants an operator.
const DUES_WAIT_MS_MAX: i64 = 30_000;

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
    /// The gate knows nothing, or as many free units as the ledger has available, or follows what is
    /// being sold.
    pub gate_matches: bool,
}

/// The account of everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// How long the oldest of them has waited, in seconds.
    pub outbox_oldest_seconds: f64,
    /// Contradictions, by invariant.
    pub findings: Vec<Finding>,
    /// Nothing was found. Parked orders and dead letters want an operator but contradict nothing.
    pub healthy: bool,
}

impl AuditReport {
    /// The report on what the ledger says of itself and what the gate has; the looks line up with the
    /// ledger's products.
    pub(super) fn new(audit: &LedgerAudit, looks: &[Look]) -> Self {
        let mut products: Vec<_> =
            audit.products.iter().zip(looks).map(|(product, look)| report(product, look)).collect();
        products.sort_by_key(|product| product.product_id);
        let mut report = Self {
            products,
            parked: audit.parked,
            dead_letters: audit.dead_letters,
            outbox: audit.dues,
            outbox_oldest_seconds: audit.oldest_due_ms as f64 / 1_000.0,
            findings: Vec::new(),
            healthy: true,
        };
        report.add(of_products(&audit.products));
        report.add(of_gate(audit, looks));
        report.add(of_counts(audit));
        report
    }

    /// Adds what else was found.
    pub fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        // In the order of their numbers: I9 comes before I10.
        self.findings.sort_by_key(|finding| (finding.invariant.len(), finding.invariant));
        self.healthy = self.findings.is_empty();
    }
}

fn report(product: &ProductAudit, look: &Look) -> ProductReport {
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
        gate: look.gate.map(|GateLevel { free, version }| GateReport { free, version }),
        gate_matches: look.fault.is_none(),
    }
}

fn of_products(products: &[ProductAudit]) -> impl Iterator<Item = Finding> {
    let (mut negative, mut oversold, mut differs) = (vec![], vec![], vec![]);
    for ProductAudit { level, recomputed, .. } in products {
        let (id, counts) = (level.product_id, level.counts);
        let available = |counts: Counts| ("available", counts.available());
        let named = |c: Counts| [("total", c.total), ("reserved", c.reserved), ("sold", c.sold)];
        let all = named(counts).into_iter().chain([available(counts)]);
        negative.extend(all.filter(|(_, n)| *n < 0).map(|(what, n)| Case::of(id, what, n, 0)));
        if recomputed.available() < 0 {
            let taken = recomputed.reserved + recomputed.sold;
            oversold.push(Case::of(id, "taken", taken, recomputed.total));
        }
        let pairs = named(counts).into_iter().zip(named(*recomputed));
        let unlike = pairs.filter(|((_, found), (_, expected))| found != expected);
        differs.extend(
            unlike.map(|((what, found), (_, expected))| Case::of(id, what, found, expected)),
        );
    }
    let found = [
        Finding::all(Kind::NotConserved, negative),
        Finding::all(Kind::Oversold, oversold),
        Finding::all(Kind::OrdersDiffer, differs),
    ];
    found.into_iter().flatten()
}

fn of_gate(audit: &LedgerAudit, looks: &[Look]) -> impl Iterator<Item = Finding> {
    let products = audit.products.iter().map(|product| product.level.product_id);
    let cases: Vec<_> =
        products.zip(looks).filter_map(|(product, look)| look.case(product)).collect();
    [Kind::GateDiffers, Kind::GateAhead].into_iter().filter_map(move |kind| {
        let of_kind = cases.iter().filter(|(of, _)| *of == kind);
        Finding::all(kind, of_kind.map(|(_, case)| case.clone()).collect())
    })
}

fn of_counts(audit: &LedgerAudit) -> impl Iterator<Item = Finding> {
    let buyer = |found: &BuyerMiscount| Case {
        sale_id: found.sale_id,
        user_id: Some(found.user_id.clone()),
        ..Case::of(found.product_id, "units", found.counted, found.ordered)
    };
    let sale = |found: &SaleMiscount| Case {
        sale_id: Some(found.sale_id),
        ..Case::of(found.product_id, "taken", found.counted, found.ordered)
    };
    let late = audit.oldest_due_ms > DUES_WAIT_MS_MAX;
    let age = Case::new("ageSeconds", audit.oldest_due_ms / 1_000, DUES_WAIT_MS_MAX / 1_000);
    let found = [
        Finding::of(Kind::BuyersDiffer, &audit.buyers, buyer),
        Finding::of(Kind::SalesDiffer, &audit.sales, sale),
        Finding::of(Kind::LetterMissing, &audit.unkept, |id| Case {
            order_id: Some(*id),
            ..Case::new("letters", 0, 1)
        }),
        Finding::counted(Kind::OutboxWaits, if late { audit.dues } else { 0 }, vec![age]),
    ];
    found.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::super::gate::Fault;
    use super::*;
    use crate::domain::testing::id;
    use crate::domain::{SaleId, StockLevel};
    use crate::ports::Named;

    const SOLD_3: Counts = Counts { total: 10, reserved: 0, sold: 3 };
    const ONE: ProductId = ProductId(1);

    fn product(counts: Counts, recomputed: Counts) -> LedgerAudit {
        let level = StockLevel { product_id: ONE, counts, version: 4, sale: None };
        let audit =
            ProductAudit { level, active: true, recomputed, orders_taken: 0, orders_rejected: 0 };
        LedgerAudit { products: vec![audit], ..LedgerAudit::default() }
    }

    /// What is found, in short.
    fn found(audit: &LedgerAudit, look: Look) -> Vec<(&'static str, Kind, i64, Case)> {
        let report = AuditReport::new(audit, &[look]);
        assert_eq!(report.healthy, report.findings.is_empty());
        let first = |finding: &Finding| finding.cases.first().cloned().unwrap_or_default();
        let short = |f: &Finding| (f.invariant, f.kind, f.count, first(f));
        report.findings.iter().map(short).collect()
    }

    fn one(audit: &LedgerAudit) -> (&'static str, Kind, i64, Case) {
        let mut all = found(audit, Look::default());
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn what_adds_up_is_healthy() {
        let mut audit = product(SOLD_3, SOLD_3);
        (audit.parked, audit.dead_letters) = (1, 1);
        (audit.dues, audit.oldest_due_ms) = (9, 1_500);
        assert_eq!(found(&audit, Look::default()), []);
        let report = AuditReport::new(&audit, &[Look::default()]);
        assert!(report.healthy && report.products[0].gate_matches);
        assert!((report.outbox_oldest_seconds - 1.5).abs() < 1e-9);
    }

    #[test]
    fn every_contradiction_is_found_with_its_invariant_and_its_subject() {
        let differs = product(SOLD_3, Counts { sold: 2, ..SOLD_3 });
        assert_eq!(one(&differs), ("I13", Kind::OrdersDiffer, 1, Case::of(ONE, "sold", 3, 2)));

        let few = Counts { total: 2, ..SOLD_3 };
        let all = found(&product(few, few), Look::default());
        assert_eq!(all[0], ("I1", Kind::NotConserved, 1, Case::of(ONE, "available", -1, 0)));
        assert_eq!(all[1], ("I2", Kind::Oversold, 1, Case::of(ONE, "taken", 3, 2)));

        let mut audit = product(SOLD_3, SOLD_3);
        let (product_id, sale_id, user_id) = (ONE, Some(SaleId(7)), "ann".to_owned());
        let buyer = BuyerMiscount { product_id, sale_id, user_id, counted: 5, ordered: 2 };
        audit.buyers = Named { count: 300, first: vec![buyer] };
        let user_id = Some("ann".to_owned());
        let case = Case { sale_id, user_id, ..Case::of(ONE, "units", 5, 2) };
        assert_eq!(one(&audit), ("I9", Kind::BuyersDiffer, 300, case));

        let mut audit = product(SOLD_3, SOLD_3);
        let sale = SaleMiscount { sale_id: SaleId(7), product_id: ONE, counted: 1, ordered: 0 };
        audit.sales = Named { count: 1, first: vec![sale] };
        let case = Case { sale_id, ..Case::of(ONE, "taken", 1, 0) };
        assert_eq!(one(&audit), ("I9", Kind::SalesDiffer, 1, case));

        let mut audit = product(SOLD_3, SOLD_3);
        audit.unkept = Named { count: 1, first: vec![id(5)] };
        let case = Case { order_id: Some(id(5)), ..Case::new("letters", 0, 1) };
        assert_eq!(one(&audit), ("I12", Kind::LetterMissing, 1, case));

        let mut audit = product(SOLD_3, SOLD_3);
        (audit.dues, audit.oldest_due_ms) = (9, 60_000);
        let case = Case::new("ageSeconds", 60, 30);
        assert_eq!(one(&audit), ("I10", Kind::OutboxWaits, 9, case));
    }

    #[test]
    fn a_gate_that_disagrees_is_found() {
        let audit = product(SOLD_3, SOLD_3);
        let gate = Some(GateLevel { free: 8, version: 9 });
        let look = |fault| Look { gate, fault: Some(fault) };
        let case = Case::of(ONE, "free", 8, 7);
        let differs = found(&audit, look(Fault::Differs { expected: 7 }));
        assert_eq!(differs, [("I3", Kind::GateDiffers, 1, case)]);
        let case = Case::of(ONE, "version", 9, 4);
        let ahead = found(&audit, look(Fault::Ahead { expected: 4 }));
        assert_eq!(ahead, [("I3", Kind::GateAhead, 1, case)]);
    }

    #[test]
    fn findings_are_bounded_and_sorted_by_invariant() {
        let mut audit = product(SOLD_3, Counts { sold: 2, ..SOLD_3 });
        audit.products = vec![audit.products[0]; 300];
        (audit.dues, audit.oldest_due_ms) = (9, 60_000);
        let mut report = AuditReport::new(&audit, &[Look::default(); 300]);
        report.add(Finding::all(Kind::BoardAhead, vec![Case::of(ONE, "version", 9, 4)]));
        let sale = Case::of(ONE, "taken", 1, 0);
        report.add(Finding::all(Kind::SalesDiffer, vec![sale]));
        let names: Vec<_> = report.findings.iter().map(|finding| finding.invariant).collect();
        assert_eq!(names, ["I9", "I10", "I10", "I13"]);
        let last = report.findings.last().unwrap();
        assert_eq!((last.count, last.cases.len()), (300, 100));
        assert!(!report.healthy);
    }
}
