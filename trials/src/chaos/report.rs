//! What a trial came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use shared::domain::{Status, Timestamp};

use super::random::Trial;
use super::storm::{Struck, counted};
use crate::checker::{Breach, Evidence};
use crate::history::{Answer, Seen};

/// How long something took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// How often it happened.
    pub count: usize,
    /// In half of the cases.
    pub p50_ms: i64,
    /// At most.
    pub max_ms: i64,
}

impl Times {
    fn of(mut times: Vec<i64>) -> Self {
        times.sort_unstable();
        let p50_ms = times.get(times.len() / 2).copied().unwrap_or_default();
        Self { count: times.len(), p50_ms, max_ms: times.last().copied().unwrap_or_default() }
    }
}

/// The figures of a trial, and what contradicts a promise.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Of the trial.
    pub seed: u64,
    /// How long there were faults, in seconds.
    pub seconds: u64,
    /// Faults, by kind.
    pub faults: BTreeMap<String, usize>,
    /// Programs that ended, for whatever reason.
    pub deaths: u32,
    /// Attempts to buy or hold.
    pub attempts: usize,
    /// Answers to them, by kind.
    pub answers: BTreeMap<String, usize>,
    /// Looks at orders.
    pub looks: usize,
    /// Orders in the ledger, by status.
    pub orders: BTreeMap<String, usize>,
    /// From the end of faults of servers and wires, one or several at once, to the next purchase
    /// accepted.
    pub accepting_again: Times,
    /// From there to the first purchase, made after the fault, that was seen decided.
    pub settling_again: Times,
    /// What contradicts a promise.
    pub breaches: Vec<Breach>,
    /// What `doorbuster audit` complained of at the end.
    pub audit: Option<String>,
}

impl Report {
    pub(super) fn new(
        trial: &Trial,
        evidence: &Evidence,
        breaches: Vec<Breach>,
        struck: &[Struck],
        ended: Timestamp,
        deaths: u32,
        audit: Result<String>,
    ) -> Self {
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        for (.., answer) in evidence.history.answers() {
            *answers.entry(name(answer)).or_default() += 1;
        }
        let mut orders: BTreeMap<String, usize> = BTreeMap::new();
        for order in &evidence.ledger.orders {
            *orders.entry(order.status.to_string()).or_default() += 1;
        }
        let (accepting_again, settling_again) = recoveries(evidence, struck, ended);
        Self {
            seed: trial.seed,
            seconds: trial.time.as_secs(),
            faults: counted(struck),
            deaths,
            attempts: evidence.history.attempts().count(),
            answers,
            looks: evidence.history.looks().count(),
            orders,
            accepting_again,
            settling_again,
            breaches,
            audit: audit.err().map(|error| format!("{error:#}")),
        }
    }

    /// Whether every promise was kept.
    pub fn kept(&self) -> bool {
        self.breaches.is_empty() && self.audit.is_none()
    }

    /// For people.
    pub fn text(&self) -> String {
        let faults: usize = self.faults.values().sum();
        let mut text = format!(
            "seed {}: {} s of faults: {faults} faults, {} programs ended\n",
            self.seed, self.seconds, self.deaths
        );
        // Writing into memory cannot fail.
        let _ = writeln!(text, "{} attempts: {}", self.attempts, list(&self.answers));
        let _ = writeln!(text, "{} looks; orders: {}", self.looks, list(&self.orders));
        for (what, times) in
            [("accepting", self.accepting_again), ("settling", self.settling_again)]
        {
            let Times { count, p50_ms, max_ms } = times;
            let _ = writeln!(
                text,
                "{what} again after {count} outages: half within {p50_ms} ms, all within {max_ms} ms"
            );
        }
        for (fault, count) in &self.faults {
            let _ = writeln!(text, "{count:>6}  {fault}");
        }
        for breach in &self.breaches {
            let _ = writeln!(text, "BREACH {breach}");
        }
        if let Some(audit) = &self.audit {
            let _ = writeln!(text, "AUDIT {audit}");
        }
        text + if self.kept() { "every promise was kept\n" } else { "PROMISES WERE BROKEN\n" }
    }
}

fn list(counts: &BTreeMap<String, usize>) -> String {
    counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

fn name(answer: &Answer) -> String {
    match answer {
        Answer::Accepted { .. } | Answer::Decided { .. } => "accepted or decided".into(),
        Answer::Refused { reason } => reason.to_string(),
        Answer::Unknown => "503 or none".into(),
    }
}

/// How soon after each outage of servers or wires purchases were accepted and settled.
fn recoveries(evidence: &Evidence, struck: &[Struck], ended: Timestamp) -> (Times, Times) {
    let accepted: Vec<Timestamp> = evidence
        .history
        .answers()
        .filter(|(.., answer)| matches!(answer, Answer::Accepted { .. } | Answer::Decided { .. }))
        .map(|(at, ..)| at)
        .collect();
    let decided: Vec<(Timestamp, Timestamp)> = evidence
        .history
        .looks()
        .filter_map(|(at, _, id, seen)| match seen {
            Seen::Order { status, .. } if *status != Status::Queued => Some((id.issued_at(), at)),
            _ => None,
        })
        .collect();
    let mut accepting = vec![];
    let mut settling = vec![];
    for over in quiet_again(struck).into_iter().filter(|over| *over < ended) {
        // The history is in the order of time.
        let next = accepted.partition_point(|at| *at < over);
        accepting.extend(accepted.get(next).map(|at| at.millis() - over.millis()));
        let seen = decided.partition_point(|(_, at)| *at < over);
        let settled = decided[seen..].iter().find(|(issued, _)| *issued >= over);
        settling.extend(settled.map(|(_, at)| at.millis() - over.millis()));
    }
    (Times::of(accepting), Times::of(settling))
}

/// The moments at which the last of the faults of servers that were under way was over.
fn quiet_again(struck: &[Struck]) -> Vec<Timestamp> {
    let mut faults: Vec<_> = struck.iter().filter(|struck| struck.fault.is_of_a_server()).collect();
    faults.sort_by_key(|struck| struck.since);
    let mut ends: Vec<Timestamp> = vec![];
    for fault in faults {
        match ends.last_mut() {
            Some(end) if fault.since <= *end => *end = fault.over.max(*end),
            _ => ends.push(fault.over),
        }
    }
    ends
}
