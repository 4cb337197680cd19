//! I4, I5, I6, I8, I9, I12: orders.

use std::collections::{BTreeMap, BTreeSet};

use shared::domain::{
    IdempotencyKey, Order, ProductId, Reason, SaleId, Status, TrackingId, UserId, envelope,
};

use super::{Evidence, Findings, Invariant};
use crate::history::{Answer, Seen, Want};

/// The states that an order may have directly after another, by the contract.
const NEXT: &[(Status, &[Status])] = &[
    (Status::Parked, &[Status::Rejected, Status::Confirmed, Status::Reserved]),
    (Status::Reserved, &[Status::Pending, Status::Confirmed, Status::Expired, Status::Cancelled]),
    (Status::Pending, &[Status::Confirmed, Status::Cancelled, Status::Failed, Status::Reserved]),
    (Status::Confirmed, &[Status::Fulfilled, Status::Cancelled]),
];

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let orders: BTreeMap<_, _> =
        evidence.ledger.orders.iter().map(|order| (order.id, order)).collect();
    findings.expect(
        orders.len() == evidence.ledger.orders.len(),
        Invariant::Once,
        "orders",
        || "an ID has more than one order".into(),
    );
    none_lost(evidence, &orders, findings);
    one_per_key(evidence, &orders, findings);
    no_phantoms(evidence, &orders, findings);
    lives(evidence, &orders, findings);
    limits(evidence, findings);
    letters(evidence, &orders, findings);
}

/// I4
fn none_lost(evidence: &Evidence, orders: &BTreeMap<TrackingId, &Order>, findings: &mut Findings) {
    for (.., answer) in evidence.history.answers() {
        let (Answer::Accepted { id } | Answer::Decided { id, .. }) = answer else { continue };
        let stands = orders.get(id).is_some_and(|order| order.status != Status::Queued);
        findings.expect(stands, Invariant::NoLostAcceptance, id, || {
            "it was given out and there is no order".into()
        });
    }
    findings.expect(evidence.queued == 0, Invariant::NoLostAcceptance, "queue", || {
        format!("{} messages still wait", evidence.queued)
    });
}

/// I5: of all attempts under one key at most one became more than a repetition.
fn one_per_key(
    evidence: &Evidence,
    orders: &BTreeMap<TrackingId, &Order>,
    findings: &mut Findings,
) {
    let wants: BTreeMap<u64, &Want> = evidence.history.attempts().collect();
    let mut ids: BTreeMap<(&UserId, &IdempotencyKey), BTreeSet<TrackingId>> = BTreeMap::new();
    for (_, attempt, answer) in evidence.history.answers() {
        let (Answer::Accepted { id } | Answer::Decided { id, .. }) = answer else { continue };
        let Some(want) = wants.get(&attempt) else { continue };
        if let Some(key) = &want.key {
            ids.entry((&want.user, key)).or_default().insert(*id);
        }
    }
    for order in orders.values() {
        if let (Some(terms), Some(keyed)) = (&order.terms, &order.keyed) {
            ids.entry((&terms.user_id, &keyed.key)).or_default().insert(order.id);
        }
    }
    for ((user, key), ids) in ids {
        let stands = |id: &&TrackingId| {
            orders.get(id).is_some_and(|order| {
                order.status != Status::Parked && order.reason != Some(Reason::Replay)
            })
        };
        let standing: Vec<_> = ids.iter().filter(stands).collect();
        findings.expect(standing.len() <= 1, Invariant::Once, format!("{user} {key}"), || {
            format!("one key has the orders {standing:?}")
        });
    }
}

/// I6: an order is what somebody asked for, and there are no more of them than attempts.
fn no_phantoms(
    evidence: &Evidence,
    orders: &BTreeMap<TrackingId, &Order>,
    findings: &mut Findings,
) {
    let mut asked: BTreeMap<(&UserId, ProductId, u32), i64> = BTreeMap::new();
    for (_, want) in evidence.history.attempts() {
        *asked.entry((&want.user, want.product, want.quantity.units())).or_default() += 1;
    }
    for order in orders.values() {
        if let Some(ended) = order.reclaims {
            // Made by a late payment, once per payment's order.
            findings.expect(orders.contains_key(&ended), Invariant::NoPhantom, order.id, || {
                format!("it honours a payment of {ended}, which does not exist")
            });
            continue;
        }
        let Some(terms) = &order.terms else { continue };
        let left =
            asked.entry((&terms.user_id, terms.product_id, terms.quantity.units())).or_default();
        *left -= 1;
        findings.expect(*left >= 0, Invariant::NoPhantom, order.id, || {
            format!("{} did not ask for it", terms.user_id)
        });
    }
    let reclaimed: Vec<_> = orders.values().filter_map(|order| order.reclaims).collect();
    let distinct: BTreeSet<_> = reclaimed.iter().collect();
    findings.expect(distinct.len() == reclaimed.len(), Invariant::Once, "late payments", || {
        "one order's payment made two orders".into()
    });
}

/// I5 and I8: all readers, and the ledger, tell of one life, and it follows the table.
fn lives(evidence: &Evidence, orders: &BTreeMap<TrackingId, &Order>, findings: &mut Findings) {
    let mut lives: BTreeMap<TrackingId, BTreeMap<i64, Status>> = BTreeMap::new();
    let answers = evidence.history.answers().filter_map(|(.., answer)| match answer {
        Answer::Decided { id, status, version } => Some((*id, *version, *status)),
        _ => None,
    });
    let looks = evidence.history.looks().filter_map(|(.., seen)| match seen {
        Seen::Order { order, status, version } => Some((*order, *version, *status)),
        _ => None,
    });
    let stored = orders.values().map(|order| (order.id, order.version, order.status));
    for (id, version, status) in answers.chain(looks).chain(stored) {
        let life = lives.entry(id).or_default();
        let known = *life.entry(version).or_insert(status);
        findings.expect(known == status, Invariant::HoldResolvesOnce, id, || {
            format!("version {version} was {known} and {status}")
        });
    }
    for (at, _, _, seen) in evidence.history.looks() {
        let Seen::Order { order, status: Status::Expired, .. } = seen else { continue };
        let ends = orders.get(order).and_then(|order| order.expires_at);
        let in_time = ends.is_some_and(|ends| ends <= at);
        findings.expect(in_time, Invariant::HoldResolvesOnce, order, || {
            format!("it was expired at {at}, and lasts until {ends:?}")
        });
    }
    for (id, life) in lives {
        for ((version, from), (next, to)) in life.iter().zip(life.iter().skip(1)) {
            // Versions that nobody saw may lie between, and rows that change without a new state.
            let terminal = from.is_terminal() && to != from;
            findings.expect(!terminal, Invariant::Once, id, || {
                format!("it left {from} (version {version}) for {to}")
            });
            let follows = from == to
                || *from == Status::Queued
                || *next > version + 1
                || NEXT.iter().any(|(state, next)| state == from && next.contains(to));
            findings.expect(follows, Invariant::HoldResolvesOnce, id, || {
                format!("it went from {from} to {to}")
            });
        }
        let last = life.keys().next_back().copied().unwrap_or_default();
        let stored = orders.get(&id).map_or(0, |order| order.version);
        findings.expect(stored >= last, Invariant::NoGoingBack, id, || {
            format!("version {last} was seen, version {stored} is stored")
        });
    }
}

/// I9: what buyers have is within the limit of the sale, or of the product outside sales, and the
/// counts that limits go by say the same.
fn limits(evidence: &Evidence, findings: &mut Findings) {
    let mut have: BTreeMap<(ProductId, Option<SaleId>, &UserId), i64> = BTreeMap::new();
    for order in &evidence.ledger.orders {
        if let (Some(terms), true) = (&order.terms, order.status.takes_units()) {
            let buyer = (terms.product_id, terms.sale_id, &terms.user_id);
            *have.entry(buyer).or_default() += i64::from(terms.quantity.units());
        }
    }
    let counted: BTreeMap<_, _> = evidence
        .ledger
        .bought
        .iter()
        .map(|((product, sale, user), units)| ((*product, *sale, user), i64::from(*units)))
        .collect();
    let mut of_sales: BTreeMap<SaleId, i64> = BTreeMap::new();
    for ((product, sale, user), units) in &have {
        let limit = if let Some(id) = sale {
            *of_sales.entry(*id).or_default() += units;
            let sale = evidence.ledger.sales.iter().find(|sale| sale.id == *id);
            sale.and_then(|sale| sale.per_user_limit)
        } else {
            let product = evidence.ledger.products.iter().find(|p| p.id == *product);
            product.and_then(|product| product.per_user_limit)
        };
        let within = limit.is_none_or(|limit| *units <= i64::from(limit));
        findings.expect(within, Invariant::Limits, user, || {
            format!("has {units} of product {product} under a limit of {limit:?}")
        });
        let counted = counted.get(&(*product, *sale, *user)).copied().unwrap_or_default();
        findings.expect(limit.is_none() || counted == *units, Invariant::Limits, user, || {
            format!("has {units} of product {product}, and {counted} are counted")
        });
    }
    for sale in &evidence.ledger.sales {
        let units = of_sales.get(&sale.id).copied().unwrap_or_default();
        findings.expect(
            sale.taken == units,
            Invariant::Limits,
            format!("sale {}", sale.id),
            || format!("{units} are taken, {} are counted", sale.taken),
        );
        let within = sale.quantity.is_none_or(|quantity| units <= quantity);
        findings.expect(within, Invariant::Limits, format!("sale {}", sale.id), || {
            format!("{units} are taken of {:?}", sale.quantity)
        });
    }
}

/// I12: what went to the dead-letter queue and can be decoded is known, and its bytes are kept.
fn letters(evidence: &Evidence, orders: &BTreeMap<TrackingId, &Order>, findings: &mut Findings) {
    for body in &evidence.dead {
        let Ok(envelope) = envelope::decode(body) else { continue };
        for purchase in envelope.purchases {
            findings.expect(
                orders.contains_key(&purchase.id),
                Invariant::DeadLetters,
                purchase.id,
                || "a dead letter without an order".into(),
            );
        }
    }
    for order in orders.values().filter(|order| order.status == Status::Parked) {
        let kept = evidence.ledger.letters.iter().any(|letter| letter.order_id == Some(order.id));
        findings.expect(kept, Invariant::DeadLetters, order.id, || {
            "it is parked and its bytes are not kept".into()
        });
    }
}
