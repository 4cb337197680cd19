//! What the run found, and whether that is as it must be.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::figures::{Counts, ms, per_second, sum};
use crate::latency::Latency;
use crate::stampede::audit::Ledger;
use crate::stampede::holds::expiry::Aftermath;
use crate::stampede::holds::findings::{self, Findings};
use crate::stampede::plan::Mode;
use crate::stampede::run::Run;
use crate::stampede::strike::Strike;
use crate::stampede::tally::Tally;
use crate::stampede::verdict;

/// Everything about one stampede; the JSON of `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// True if `problems` is empty.
    pub ok: bool,
    /// What must not be, one sentence each.
    pub problems: Vec<String>,
    /// Part of every user ID and key of this run.
    pub run: String,
    /// The way the buyers took.
    pub mode: Mode,
    /// The instances that were asked.
    pub urls: Vec<String>,
    /// The product that was sold.
    pub product_id: i64,
    /// Buyers who came.
    pub buyers: u64,
    /// Units available before the first buyer.
    pub stock: i64,
    /// Units each buyer wanted.
    pub quantity: i64,
    /// Connections used.
    pub connections: usize,
    /// Whether purchases had an `Idempotency-Key`.
    pub keys: bool,

    /// 202 received.
    pub accepted: u64,
    /// Buyers who saw their purchase, or their checkout, confirmed.
    pub confirmed: u64,
    /// Buyers who were refused the purchase or the hold, and why.
    pub refused: Counts,
    /// All of them.
    pub refused_total: u64,
    /// 202 given and not decided in time, or unknown to the shop afterwards.
    pub lost: u64,
    /// Purchases that wait for an operator.
    pub parked: u64,
    /// Buyers without a definite answer, and what they heard last.
    pub failed: Counts,
    /// All of them.
    pub failed_total: u64,
    /// Without keys: buyers whose connection broke before the answer.
    pub unknown: u64,
    /// Units sold beyond the stock.
    pub oversold: i64,
    /// Units left although buyers were refused for `OUT_OF_STOCK`, but for units that may have come
    /// back from a hold after the last of them was refused.
    pub undersold: i64,
    /// Units confirmed to buyers that the ledger did not sell.
    pub phantom: i64,
    /// Units sold that no buyer was told about.
    pub undelivered: i64,
    /// Tracking IDs given to more than one buyer.
    pub duplicate_tracking_ids: u64,
    /// Buyers who were shown somebody else's purchase.
    pub mixed_up: u64,
    /// Requests repeated because a connection broke.
    pub retries_connection: u64,
    /// Requests repeated after 429 or 5xx.
    pub retries_busy: u64,
    /// Requests without a key repeated although the first may have counted.
    pub repeated_unsafely: u64,

    /// From the first request to the moment the last confirmation was seen; `None` if not sold out.
    pub sell_out_ms: Option<f64>,
    /// The same, to the server's `decidedAt`; comparable only where the clocks agree.
    pub sell_out_decided_ms: Option<f64>,
    /// From the first request to the last answer.
    pub sending_ms: f64,
    /// From the first request to the last outcome of a purchase or hold.
    pub elapsed_ms: f64,
    /// Answers in `sending_ms`.
    pub answers_per_s: f64,
    /// 202 in `sending_ms`.
    pub accepted_per_s: f64,
    /// Outcomes of purchases and holds until the last of them.
    pub settled_per_s: f64,
    /// `ack_*_ms`, `outcome_*_ms`, `checkout_*_ms` and so on: see [`LATENCIES`].
    #[serde(flatten)]
    pub latency_ms: BTreeMap<String, f64>,

    /// The holds; `None` if nobody was to hold.
    pub holds: Option<Findings>,
    /// The ledger afterwards.
    pub ledger: Ledger,
    /// What `--at-half` did; `None` without it, or where half was never sold.
    pub strike: Option<Strike>,
}

/// The latencies of a report: prefix in JSON, and what it is. All include a buyer's retries, as the
/// buyer feels them, but those by the server's clocks.
pub const LATENCIES: [(&str, &str); 8] = [
    ("ack", "answer to the purchase"),
    ("outcome", "outcome seen by the buyer"),
    ("settle", "accepted to decided (server)"),
    ("hold_ack", "answer to the hold"),
    ("hold_outcome", "outcome seen by the holder"),
    ("hold_settle", "hold, to decided (server)"),
    ("checkout", "checkout"),
    ("cancel", "cancellation"),
];

/// The percentiles of a report: part of the name in JSON, and which.
pub const PERCENTILES: [(&str, f64); 5] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99_9", 99.9), ("max", 100.0)];

impl Report {
    pub(crate) fn new(
        run: &Run,
        strike: Option<Strike>,
        aftermath: Aftermath,
        ledger: Ledger,
    ) -> Self {
        let mut tally = run.tally();
        let plan = &run.plan;
        let stock = run.before.available;
        // Somebody else's holds from before may have run out or been paid.
        let capacity = stock + run.before.reserved;
        let sold = ledger.sold - run.before.sold;
        let confirmed_units = plan.units(tally.confirmed);
        let is_sold_out = tally.confirmed > 0 && stock - confirmed_units < plan.quantity;
        let outcomes = tally.purchases.outcome.len() + tally.hold_requests.outcome.len();
        let answers = tally.purchases.acknowledged.len() + tally.hold_requests.acknowledged.len();
        let last_outcome = tally.last_outcome();
        let mut report = Self {
            ok: false,
            problems: Vec::new(),
            run: run.id.clone(),
            mode: plan.mode,
            urls: plan.urls.clone(),
            product_id: run.product,
            buyers: plan.buyers,
            stock,
            quantity: plan.quantity,
            connections: plan.connections,
            keys: plan.keys,
            accepted: tally.accepted,
            confirmed: tally.confirmed,
            refused: tally.refused.clone(),
            refused_total: sum(&tally.refused),
            lost: tally.lost,
            parked: tally.parked,
            failed: tally.failed.clone(),
            failed_total: sum(&tally.failed),
            unknown: tally.unknown,
            oversold: (sold - capacity).max(0),
            undersold: findings::undersold(run, &tally, &ledger),
            phantom: (confirmed_units - sold).max(0),
            undelivered: (sold - confirmed_units).max(0),
            duplicate_tracking_ids: tally.duplicates(),
            mixed_up: tally.mixed_up,
            retries_connection: tally.retries_connection,
            retries_busy: tally.retries_busy,
            repeated_unsafely: tally.repeated_unsafely,
            sell_out_ms: is_sold_out.then(|| ms(tally.last_confirmed)),
            sell_out_decided_ms: tally
                .last_decided_at
                .filter(|_| is_sold_out)
                .map(|at| (at - run.began_at).num_milliseconds() as f64),
            sending_ms: ms(tally.last_answer),
            elapsed_ms: ms(last_outcome.max(tally.last_answer)),
            answers_per_s: per_second(answers, tally.last_answer),
            accepted_per_s: per_second(tally.accepted, tally.last_answer),
            settled_per_s: per_second(outcomes, last_outcome),
            latency_ms: latencies(&tally),
            holds: (plan.holds.hold > 0.0).then(|| Findings::new(run, &tally, &ledger, aftermath)),
            ledger,
            strike,
        };
        report.problems = verdict::problems(&report, plan, tally.ended());
        report.ok = report.problems.is_empty();
        report
    }
}

fn latencies(tally: &Tally) -> BTreeMap<String, f64> {
    let (bought, held) = (&tally.purchases, &tally.hold_requests);
    let measured: [&Latency; 8] = [
        &bought.acknowledged,
        &bought.outcome,
        &bought.settled,
        &held.acknowledged,
        &held.outcome,
        &held.settled,
        &tally.holds.checkout,
        &tally.holds.cancel,
    ];
    let mut latencies = BTreeMap::new();
    for ((prefix, _), latency) in LATENCIES.iter().zip(measured) {
        let Some(values) = latency.at(PERCENTILES.map(|(_, percentile)| percentile)) else {
            continue;
        };
        for ((name, _), value) in PERCENTILES.iter().zip(values) {
            latencies.insert(format!("{prefix}_{name}_ms"), value);
        }
    }
    latencies
}
