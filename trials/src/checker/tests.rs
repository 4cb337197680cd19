//! Every invariant is broken once, and found.

use shared::domain::envelope;
use shared::domain::testing::{id, purchase_of};
use shared::domain::{
    Counts, Currency, IdempotencyKey, Money, Order, Product, ProductId, Quantity, Reason, Sku,
    Status, StockLevel, Terms, Timestamp, TrackingId, UserId,
};
use shared::ports::GateLevel;

use super::{Commit, Evidence, Invariant, check};
use crate::history::{Answer, Line, Seen, Want, What};

const PRODUCT: ProductId = ProductId(1);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn want(name: &str, key: Option<&str>) -> Want {
    Want {
        user: user(name),
        product: PRODUCT,
        quantity: Quantity::ONE,
        hold: false,
        key: key.map(|key| IdempotencyKey::parse(key).unwrap()),
    }
}

fn level(sold: i64, version: i64) -> StockLevel {
    let counts = Counts { total: 2, reserved: 0, sold };
    StockLevel { product_id: PRODUCT, counts, version, sale: None }
}

fn order(number: u128, name: &str, status: Status, decided: i64) -> Order {
    let terms = Terms {
        product_id: PRODUCT,
        sale_id: None,
        user_id: user(name),
        quantity: Quantity::ONE,
        unit_price: Money { minor: 1, currency: Currency::USD },
    };
    Order {
        terms: Some(terms),
        status,
        decided_at: Some(at(decided)),
        version: 1,
        ..Order::queued(id(number))
    }
}

fn line(ms: i64, what: What) -> Line {
    Line { at: at(ms), what }
}

fn asked(ms: i64, attempt: u64, want: Want) -> Line {
    line(ms, What::Asked { attempt, want })
}

fn answered(ms: i64, attempt: u64, answer: Answer) -> Line {
    line(ms, What::Answered { attempt, answer })
}

fn looked(ms: i64, id: TrackingId, seen: Seen) -> Line {
    line(ms, What::Looked { reader: "api".into(), id, seen })
}

fn seen(order: TrackingId, status: Status, version: i64) -> Seen {
    Seen::Order { order, status, version }
}

fn told(ms: i64, level: StockLevel) -> Line {
    line(ms, What::Stock { reader: "api".into(), level })
}

/// Two units, three buyers: two sold, one refused; and one refused at the edge.
fn healthy() -> Evidence {
    let mut evidence = Evidence { stale_ms: 2_000, ..Evidence::default() };
    evidence.history.0 = vec![
        asked(1, 1, want("a", Some("k"))),
        answered(2, 1, Answer::Accepted { id: id(1) }),
        asked(3, 2, want("b", None)),
        answered(4, 2, Answer::Decided { id: id(2), status: Status::Confirmed, version: 1 }),
        told(5, level(1, 2)),
        asked(5, 3, want("c", None)),
        answered(6, 3, Answer::Accepted { id: id(3) }),
        looked(15, id(1), seen(id(1), Status::Confirmed, 1)),
        told(20, level(2, 3)),
        asked(30, 4, want("d", None)),
        answered(31, 4, Answer::Refused { reason: Reason::OutOfStock }),
    ];
    let mut refused = order(3, "c", Status::Rejected, 12);
    refused.reason = Some(Reason::OutOfStock);
    let product = Product {
        id: PRODUCT,
        sku: Sku::parse("X").unwrap(),
        name: "X".into(),
        description: String::new(),
        category: String::new(),
        image_url: None,
        price: Money { minor: 1, currency: Currency::USD },
        per_user_limit: Some(1),
        active: true,
    };
    evidence.ledger.products = vec![product];
    evidence.ledger.stock = vec![(level(2, 3), 2)];
    evidence.ledger.orders =
        vec![order(1, "a", Status::Confirmed, 10), order(2, "b", Status::Confirmed, 4), refused];
    let bought = |name| ((PRODUCT, None, user(name)), 1);
    evidence.ledger.bought = vec![bought("a"), bought("b")];
    evidence.gate = vec![Some(GateLevel { free: 0, version: 3 })];
    let commit = |ms, level| Commit { at: at(ms), level };
    evidence.commits =
        vec![commit(0, level(0, 1)), commit(4, level(1, 2)), commit(10, level(2, 3))];
    evidence.listening = vec!["api".into()];
    evidence
}

#[test]
fn what_is_healthy_has_no_breach() {
    assert_eq!(check(&healthy()), []);
}

type Spoil = Box<dyn FnOnce(&mut Evidence)>;

/// The invariants that break when `spoil` is done to what is healthy.
fn broken(spoil: impl FnOnce(&mut Evidence)) -> Vec<Invariant> {
    let mut evidence = healthy();
    spoil(&mut evidence);
    let mut broken: Vec<_> = check(&evidence).iter().map(|breach| breach.invariant).collect();
    broken.dedup();
    broken
}

#[test]
fn every_breach_is_found_by_its_name() {
    use Invariant as I;
    let cases: Vec<(I, Spoil)> = vec![
        (I::Conservation, Box::new(|e| e.commits[1].level.counts.sold = -1)),
        (I::NoOversell, Box::new(|e| e.ledger.orders.push(order(4, "d", Status::Confirmed, 20)))),
        (I::NoUndersell, Box::new(|e| e.gate = vec![Some(GateLevel { free: 1, version: 3 })])),
        (I::NoUndersell, Box::new(|e| e.gate = vec![None])),
        (I::NoUndersell, Box::new(|e| e.ledger.orders[2].decided_at = Some(at(9)))),
        (I::NoLostAcceptance, Box::new(|e| drop(e.ledger.orders.pop()))),
        (I::NoLostAcceptance, Box::new(|e| e.queued = 1)),
        (
            I::Once,
            Box::new(|e| {
                e.history.0.push(asked(40, 5, want("a", Some("k"))));
                e.history.0.push(answered(41, 5, Answer::Accepted { id: id(3) }));
            }),
        ),
        (
            I::Once,
            Box::new(|e| {
                e.history.0.push(looked(50, id(3), seen(id(3), Status::Rejected, 1)));
                e.ledger.orders[2].version = 2;
                e.ledger.orders[2].status = Status::Confirmed;
            }),
        ),
        (I::NoPhantom, Box::new(|e| e.ledger.orders.push(order(9, "z", Status::Rejected, 20)))),
        (I::NoGoingBack, Box::new(|e| e.history.0.push(looked(50, id(1), Seen::NeverIssued)))),
        (
            I::NoGoingBack,
            Box::new(|e| {
                e.ledger.orders[0].version = 3;
                e.history.0.push(looked(50, id(1), seen(id(1), Status::Confirmed, 3)));
                e.history.0.push(looked(51, id(1), seen(id(1), Status::Confirmed, 1)));
            }),
        ),
        (
            I::NoGoingBack,
            Box::new(|e| {
                e.ledger.orders[1].version = 2;
                e.rest = Some(at(100));
                e.history.0.push(looked(100, id(2), seen(id(2), Status::Confirmed, 1)));
            }),
        ),
        (
            I::HoldResolvesOnce,
            Box::new(|e| e.history.0.push(looked(50, id(2), seen(id(2), Status::Expired, 1)))),
        ),
        (
            I::HoldResolvesOnce,
            Box::new(|e| {
                e.ledger.orders[0].version = 2;
                e.ledger.orders[0].status = Status::Pending;
            }),
        ),
        (
            I::HoldResolvesOnce,
            Box::new(|e| {
                let (hold, ends) = (&mut e.ledger.orders[0], at(60));
                (hold.status, hold.expires_at) = (Status::Expired, Some(ends));
                e.history.0.retain(|line| !matches!(line.what, What::Looked { .. }));
                e.history.0.push(looked(59, id(1), seen(id(1), Status::Expired, 1)));
            }),
        ),
        (I::Limits, Box::new(|e| e.ledger.products[0].per_user_limit = Some(0))),
        (I::Limits, Box::new(|e| drop(e.ledger.bought.pop()))),
        (I::StockEvents, Box::new(|e| e.history.0.push(told(60, level(0, 3))))),
        (I::StockEvents, Box::new(|e| drop(e.history.0.remove(8)))),
        (
            I::EdgeWasRight,
            Box::new(|e| {
                e.commits.push(Commit { at: at(10), level: level(0, 4) });
                e.commits.retain(|commit| commit.level.version != 3);
                e.history.0.remove(8);
                e.listening.clear();
                e.history.0.last_mut().unwrap().at = at(9_001);
                let asked = e.history.0.len() - 2;
                e.history.0[asked].at = at(9_000);
                e.ledger.orders.retain(|order| order.status != Status::Rejected);
                e.history.0.retain(|l| !matches!(l.what, What::Answered { attempt: 3, .. }));
            }),
        ),
        (
            I::DeadLetters,
            Box::new(|e| e.dead = vec![envelope::encode(&[purchase_of(id(77), 1, "q", 1)])]),
        ),
        (I::DeadLetters, Box::new(|e| e.ledger.orders.push(Order::parked(id(78))))),
        (I::Replay, Box::new(|e| e.ledger.stock[0].0.counts.total = 3)),
    ];
    for (number, (invariant, spoil)) in cases.into_iter().enumerate() {
        let broken = broken(spoil);
        assert!(broken.contains(&invariant), "case {number}: {invariant} is not among {broken:?}");
    }
}

#[test]
fn a_history_survives_the_disk() {
    let history = healthy().history;
    let text = history.to_json_lines();
    assert_eq!(crate::history::History::from_json_lines(&text).unwrap(), history);
    assert_eq!(text.lines().count(), history.0.len());
}
