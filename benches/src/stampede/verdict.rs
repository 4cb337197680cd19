//! Whether a report is as it must be.

use crate::stampede::holds::findings::Findings;
use crate::stampede::plan::Plan;
use crate::stampede::report::Report;

/// Everything that must not be.
pub(crate) fn problems(report: &Report, plan: &Plan, ended: u64) -> Vec<String> {
    let ledger = &report.ledger;
    // Who does not know whether they bought may have bought; so may whose payment is not known yet.
    let holds = report.holds.as_ref();
    let at_checkout = holds.map_or(0, |holds| holds.pending + holds.in_doubt);
    let may_have_bought = plan.units(report.unknown + report.repeated_unsafely + at_checkout);
    let unaccounted = plan.buyers.abs_diff(ended);
    let found = [
        (report.lost > 0, format!("{} accepted purchases were lost", report.lost)),
        (report.oversold > 0, format!("{} units were oversold", report.oversold)),
        (
            report.undersold > 0,
            format!("{} units are left although buyers were told OUT_OF_STOCK", report.undersold),
        ),
        (
            report.phantom > 0,
            format!("{} units were confirmed to buyers but not sold in the ledger", report.phantom),
        ),
        (
            report.undelivered > may_have_bought,
            format!("{} units were sold that no buyer was told about", report.undelivered),
        ),
        (report.failed_total > 0, format!("{} buyers got no definite answer", report.failed_total)),
        (report.parked > 0, format!("{} purchases are parked for an operator", report.parked)),
        (
            report.duplicate_tracking_ids > 0,
            format!("{} tracking IDs were given out twice", report.duplicate_tracking_ids),
        ),
        (
            report.mixed_up > 0,
            format!("{} buyers were shown somebody else's purchase", report.mixed_up),
        ),
        (!ledger.conserved, "total is not available + reserved + sold".into()),
        (!ledger.orders_match, "the orders do not add up to the inventory".into()),
        (!ledger.gate_matches, "the gate (Redis) did not come to agree with the ledger".into()),
        (
            !ledger.board_matches,
            "the API's stock board did not come to agree with the ledger".into(),
        ),
        (ledger.outbox > 0, format!("{} announcements are still owed", ledger.outbox)),
        (
            ledger.added_for_operators > 0,
            format!("{} parked orders or dead letters were added", ledger.added_for_operators),
        ),
        (
            plan.at_half.is_some() && report.strike.is_none(),
            "half of the stock was never sold or held, so --at-half did not strike".into(),
        ),
        (
            report.strike.as_ref().is_some_and(|strike| strike.exit_code != Some(0)),
            "the command of --at-half failed".into(),
        ),
        (
            unaccounted > 0,
            format!("{unaccounted} buyers are unaccounted for: a fault of this program"),
        ),
    ];
    let of_holds = holds.into_iter().flat_map(Findings::problems);
    found
        .into_iter()
        .chain(of_holds)
        .filter_map(|(is_so, sentence)| is_so.then_some(sentence))
        .collect()
}
