//! I7, I10, I11: what readers were shown.

use std::collections::BTreeMap;

use shared::domain::{Order, ProductId, Reason, StockLevel, Timestamp, TrackingId};

use super::evidence::Commits;
use super::{Evidence, Findings, Invariant};
use crate::history::{Answer, Seen, Want, What};

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    no_going_back(evidence, findings);
    stock_events(evidence, findings);
    edge_was_right(evidence, findings);
}

/// I7
fn no_going_back(evidence: &Evidence, findings: &mut Findings) {
    let mut seen: BTreeMap<(&str, TrackingId), (TrackingId, i64)> = BTreeMap::new();
    for (_, reader, id, look) in evidence.history.looks() {
        match look {
            Seen::Order { order, version, .. } => {
                let last = seen.insert((reader, id), (*order, *version));
                // A repetition's reader is shown the original from some moment on.
                let back = last.is_some_and(|(of, last)| of == *order && last > *version);
                findings.expect(!back, Invariant::NoGoingBack, id, || {
                    format!("{reader} showed version {version} after {last:?}")
                });
            }
            Seen::NeverIssued => findings.expect(false, Invariant::NoGoingBack, id, || {
                format!("{reader} did not know an ID that was given out")
            }),
            Seen::Unknown => {}
        }
    }
    let Some(rest) = evidence.rest else { return };
    let stored: BTreeMap<TrackingId, &Order> =
        evidence.ledger.orders.iter().map(|order| (order.id, order)).collect();
    for (_, reader, id, look) in evidence.history.looks().filter(|(at, ..)| *at >= rest) {
        let Seen::Order { order, version, .. } = look else { continue };
        let last = stored.get(order).map_or(0, |order| order.version);
        findings.expect(last == *version, Invariant::NoGoingBack, id, || {
            format!("{reader} still shows version {version}, version {last} is stored")
        });
    }
}

/// I10
fn stock_events(evidence: &Evidence, findings: &mut Findings) {
    let mut truth: BTreeMap<(ProductId, i64), StockLevel> = BTreeMap::new();
    for commit in &evidence.commits {
        truth.insert((commit.level.product_id, commit.level.version), commit.level);
    }
    let mut last: BTreeMap<(&str, ProductId), i64> = BTreeMap::new();
    for (reader, level) in evidence.history.stock() {
        let version = last.entry((reader, level.product_id)).or_default();
        *version = (*version).max(level.version);
        let told = *truth.entry((level.product_id, level.version)).or_insert(level);
        findings.expect(
            told.counts == level.counts,
            Invariant::StockEvents,
            level.product_id,
            || format!("{reader} was told {level:?}, it was {told:?}"),
        );
    }
    for (level, _) in &evidence.ledger.stock {
        for reader in &evidence.listening {
            let heard = last.get(&(reader.as_str(), level.product_id)).copied();
            let active =
                evidence.ledger.products.iter().any(|p| p.id == level.product_id && p.active);
            let arrived = !active || heard == Some(level.version);
            findings.expect(arrived, Invariant::StockEvents, level.product_id, || {
                format!(
                    "{reader} last heard of {heard:?}, the ledger has version {}",
                    level.version
                )
            });
        }
    }
    for ((reader, product), version) in last {
        let now = evidence.ledger.stock.iter().find(|(level, _)| level.product_id == product);
        let now = now.map_or(0, |(level, _)| level.version);
        findings.expect(version <= now, Invariant::StockEvents, product, || {
            format!("{reader} was told of version {version}, the ledger has {now}")
        });
    }
}

/// I11: at some moment within the staleness bound there were too few.
fn edge_was_right(evidence: &Evidence, findings: &mut Findings) {
    let commits = Commits::of(evidence);
    if commits.is_empty() {
        return;
    }
    let mut asked: BTreeMap<u64, (Timestamp, &Want)> = BTreeMap::new();
    for line in &evidence.history.0 {
        if let What::Asked { attempt, want } = &line.what {
            asked.insert(*attempt, (line.at, want));
        }
    }
    for (at, attempt, answer) in evidence.history.answers() {
        let Answer::Refused { reason: Reason::OutOfStock } = answer else { continue };
        let Some((asked_at, want)) = asked.get(&attempt) else { continue };
        // It was judged at some moment between the question and the answer.
        let since = asked_at.plus_millis(-evidence.stale_ms - evidence.commit_ms);
        let short = commits.levels_between(want.product, since, at).any(|level| {
            let left = level.sale.map_or(i64::MAX, |left| left.sale_left);
            level.counts.available().min(left) < i64::from(want.quantity.units())
        });
        findings.expect(short, Invariant::EdgeWasRight, format!("attempt {attempt}"), || {
            format!("refused as sold out at {at}, when there had been enough for a while")
        });
    }
}
