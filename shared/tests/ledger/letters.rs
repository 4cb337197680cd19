//! What operators see of dead letters and do with them.

use shared::domain::testing::tester;
use shared::domain::{Actor, Counts, OrderEvent, Purchase, Reason, Settled, Status};
use shared::ports::{
    AuditQuery, DeadLetter, KeptLetter, LISTED_BYTES_MAX, LedgerError, LetterId, LetterMoved,
    LetterQuery, LetterRef,
};

use crate::support::{SOLD, World, both_families, buy};

both_families!(
    letters_are_listed_oldest_first_in_pages,
    a_letter_is_found_by_its_number_and_by_its_order,
    the_same_bytes_are_one_letter,
    long_bodies_are_shown_and_not_listed,
    a_replayed_letter_is_settled_once,
    a_letter_whose_replay_failed_waits_again,
    a_discarded_letter_is_a_refused_order,
    a_replay_that_comes_after_a_discard_changes_nothing,
    a_settled_letter_is_not_discarded,
    a_letter_without_an_order_is_discarded_and_not_replayed,
    a_letter_that_cannot_be_decoded_is_not_replayed,
    a_discarded_letter_that_becomes_an_order_waits_again,
    the_log_names_who_did_what,
);

impl World {
    /// A purchase of one unit of a new product that was parked.
    async fn parked(&self, sku: &str) -> Purchase {
        let purchase = buy(self.product(sku, 5, None).await, "ann", 1);
        let letter = DeadLetter::parked(&purchase, "out of range");
        self.ledger.park(&letter).await.unwrap().unwrap();
        purchase
    }

    async fn garbage(&self, body: &[u8]) {
        let letter = DeadLetter { order_id: None, body: body.to_vec(), error: "garbage".into() };
        self.ledger.keep_dead_letter(&letter).await.unwrap();
    }

    async fn letters(&self, open: bool) -> Vec<KeptLetter> {
        let query = LetterQuery { open, after: LetterId(0), limit: 100 };
        self.ledger.letters(&query).await.unwrap()
    }

    async fn letter(&self, purchase: &Purchase) -> KeptLetter {
        self.ledger.letter(LetterRef::Order(purchase.id)).await.unwrap().unwrap()
    }

    async fn replay(&self, letter: LetterRef) -> Result<LetterMoved, LedgerError> {
        self.ledger.replay_letter(letter, &tester()).await
    }

    async fn discard(&self, letter: LetterRef) -> Result<LetterMoved, LedgerError> {
        self.ledger.discard_letter(letter, &tester()).await
    }

    async fn waiting(&self) -> u64 {
        self.ledger.backlog().await.unwrap().letters.count
    }
}

async fn letters_are_listed_oldest_first_in_pages(world: &World) {
    assert_eq!(world.ledger.backlog().await.unwrap().letters.oldest_ms, 0);
    let first = world.parked("A").await;
    world.garbage(b"\xff").await;
    let third = world.parked("B").await;
    let all = world.letters(true).await;
    let orders: Vec<_> = all.iter().map(|letter| letter.letter.order_id).collect();
    assert_eq!(orders, [Some(first.id), None, Some(third.id)]);
    assert_eq!(all[0].order.as_ref().map(|order| order.status), Some(Status::Parked));
    assert_eq!((all[1].letter.body.as_slice(), all[1].bytes), (&b"\xff"[..], 1));
    assert!(all.iter().all(|letter| letter.is_open() && letter.replayed_at.is_none()));

    let page = |after, limit| LetterQuery { open: true, after, limit };
    let two = world.ledger.letters(&page(LetterId(0), 2)).await.unwrap();
    assert_eq!(two, all[..2]);
    assert_eq!(world.ledger.letters(&page(two[1].id, 2)).await.unwrap(), all[2..]);
    let waiting = world.ledger.backlog().await.unwrap().letters;
    assert!(waiting.count == 3 && waiting.oldest_ms >= 0, "{waiting:?}");
    assert_eq!(waiting.last_closed_at, None);
}

async fn a_letter_is_found_by_its_number_and_by_its_order(world: &World) {
    let purchase = world.parked("A").await;
    let letter = world.letter(&purchase).await;
    assert_eq!(letter.letter, DeadLetter::parked(&purchase, "out of range"));
    assert_eq!(letter.replay(), Some(Purchase { replayed: true, ..purchase.clone() }));
    assert_eq!(world.ledger.letter(LetterRef::Id(letter.id)).await.unwrap(), Some(letter));
    let nobody = LetterRef::Id(LetterId(999));
    assert_eq!(world.ledger.letter(nobody).await.unwrap(), None);
    let error = world.replay(nobody).await.unwrap_err();
    assert!(matches!(error, LedgerError::LetterNotFound), "{error}");
}

async fn the_same_bytes_are_one_letter(world: &World) {
    world.garbage(b"one").await;
    world.garbage(b"one").await;
    let bodies = [b"none".to_vec(), b"one".to_vec()];
    assert_eq!(world.ledger.letters_open(&bodies).await.unwrap(), [None, Some(true)]);
    let letter = world.letters(true).await.remove(0);
    world.discard(LetterRef::Id(letter.id)).await.unwrap();
    world.garbage(b"one").await;
    assert_eq!(world.ledger.letters_open(&bodies).await.unwrap(), [None, Some(false)]);
    assert_eq!(world.letters(false).await.len(), 1);
}

async fn long_bodies_are_shown_and_not_listed(world: &World) {
    let body = vec![7; LISTED_BYTES_MAX + 1];
    world.garbage(&body).await;
    let listed = world.letters(true).await.remove(0);
    assert_eq!((listed.letter.body.len(), listed.bytes), (0, body.len()));
    let shown = world.ledger.letter(LetterRef::Id(listed.id)).await.unwrap().unwrap();
    assert_eq!(shown.letter.body, body);
}

async fn a_replayed_letter_is_settled_once(world: &World) {
    let purchase = world.parked("A").await;
    let letter = LetterRef::Order(purchase.id);
    for _ in 0..2 {
        let moved = world.replay(letter).await.unwrap();
        assert!(moved.changed && moved.letter.is_open() && moved.letter.replayed_at.is_some());
    }
    let again = Purchase { replayed: true, ..purchase.clone() };
    for _ in 0..2 {
        assert_eq!(world.outcomes(std::slice::from_ref(&again)).await, [SOLD]);
    }
    let moved = world.replay(letter).await.unwrap();
    assert!(!moved.changed && !moved.letter.is_open(), "{moved:?}");
    assert_eq!(moved.letter.order.unwrap().status, Status::Confirmed);
    assert_eq!((world.letters(true).await.len(), world.letters(false).await.len()), (0, 1));
    let waiting = world.ledger.backlog().await.unwrap().letters;
    assert!(waiting.count == 0 && waiting.last_closed_at.is_some(), "{waiting:?}");
    let sold = Counts { total: 5, reserved: 0, sold: 1 };
    assert_eq!(world.level(purchase.terms.product_id).await.counts, sold);
}

async fn a_letter_whose_replay_failed_waits_again(world: &World) {
    let purchase = world.parked("A").await;
    world.replay(LetterRef::Order(purchase.id)).await.unwrap();
    for _ in 0..3 {
        world.ledger.begin_attempt(purchase.id).await.unwrap();
    }
    let again = Purchase { replayed: true, ..purchase.clone() };
    let failed = DeadLetter::parked(&again, "still out of range");
    assert_eq!(world.ledger.park(&failed).await.unwrap(), None);
    let letter = world.letter(&purchase).await;
    assert_eq!((letter.attempts, letter.replayed_at), (3, None));
    assert_eq!(letter.letter.error, "still out of range");
    assert!(letter.is_open());
    assert_eq!(world.letters(false).await.len(), 1);
    assert_eq!(world.ledger.begin_attempt(purchase.id).await.unwrap(), 1, "counted anew");
}

async fn a_discarded_letter_is_a_refused_order(world: &World) {
    let purchase = world.parked("A").await;
    let letter = LetterRef::Order(purchase.id);
    let moved = world.discard(letter).await.unwrap();
    assert!(moved.changed && !moved.letter.is_open());
    let order = world.order(purchase.id).await;
    assert_eq!((order.status, order.reason), (Status::Rejected, Some(Reason::Discarded)));
    assert_eq!((order.version, order.terms.as_ref()), (2, None));
    assert!(order.decided_at.is_some());
    let announced = moved.announcement.unwrap();
    assert_eq!((announced.orders[0].event, announced.orders[0].version), (OrderEvent::Rejected, 2));
    assert_eq!(*announced.orders[0].order, order);
    assert_eq!(moved.letter.order, Some(order));
    world.ledger.clear_dues(&Vec::from_iter(announced.due)).await.unwrap();

    let again = world.discard(letter).await.unwrap();
    assert!(!again.changed && again.announcement.is_none());
    let audit = world.ledger.audit().await.unwrap();
    assert_eq!((audit.parked, audit.dead_letters, audit.dues), (0, 0, 1), "the parking is owed");
}

async fn a_replay_that_comes_after_a_discard_changes_nothing(world: &World) {
    let purchase = world.parked("A").await;
    let letter = LetterRef::Order(purchase.id);
    world.replay(letter).await.unwrap();
    world.discard(letter).await.unwrap();
    let again = Purchase { replayed: true, ..purchase.clone() };
    let late = world.record(&[again]).await;
    let order = world.order(purchase.id).await;
    assert_eq!(late.settled, [Settled::Order(order.into())]);
    assert!(late.announcement.is_none());
    let error = world.replay(letter).await.unwrap_err();
    assert!(matches!(error, LedgerError::LetterDecided(Status::Rejected)), "{error}");
}

async fn a_settled_letter_is_not_discarded(world: &World) {
    let purchase = world.parked("A").await;
    world.replay(LetterRef::Order(purchase.id)).await.unwrap();
    world.record(&[Purchase { replayed: true, ..purchase.clone() }]).await;
    let error = world.discard(LetterRef::Order(purchase.id)).await.unwrap_err();
    assert!(matches!(error, LedgerError::LetterDecided(Status::Confirmed)), "{error}");
    assert_eq!(world.order(purchase.id).await.status, Status::Confirmed);
}

async fn a_letter_without_an_order_is_discarded_and_not_replayed(world: &World) {
    let forged = buy(world.product("A", 5, None).await, "eve", 1);
    world.ledger.keep_dead_letter(&DeadLetter::forged(&forged)).await.unwrap();
    let letter = LetterRef::Id(world.letters(true).await[0].id);
    let error = world.replay(letter).await.unwrap_err();
    assert!(matches!(error, LedgerError::LetterUnusable), "{error}");
    let moved = world.discard(letter).await.unwrap();
    assert!(moved.changed && !moved.letter.is_open() && moved.announcement.is_none());
    assert!(!world.discard(letter).await.unwrap().changed);
    assert_eq!(world.waiting().await, 0);
}

async fn a_letter_that_cannot_be_decoded_is_not_replayed(world: &World) {
    let purchase = buy(world.product("A", 5, None).await, "ann", 1);
    let letter =
        DeadLetter { order_id: Some(purchase.id), body: b"\xff".to_vec(), error: "?".into() };
    world.ledger.park(&letter).await.unwrap();
    let letter = LetterRef::Order(purchase.id);
    let error = world.replay(letter).await.unwrap_err();
    assert!(matches!(error, LedgerError::LetterUnusable), "{error}");
    assert!(world.discard(letter).await.unwrap().changed);
    assert_eq!(world.order(purchase.id).await.reason, Some(Reason::Discarded));
}

async fn a_discarded_letter_that_becomes_an_order_waits_again(world: &World) {
    let purchase = buy(world.product("A", 5, None).await, "ann", 1);
    let letter = DeadLetter::parked(&purchase, "with an order");
    let orphan = DeadLetter { order_id: None, ..letter.clone() };
    world.ledger.keep_dead_letter(&orphan).await.unwrap();
    world.discard(LetterRef::Id(world.letters(true).await[0].id)).await.unwrap();
    assert!(world.ledger.park(&letter).await.unwrap().is_some());
    let kept = world.letter(&purchase).await;
    assert!(kept.is_open(), "{kept:?}");
}

async fn the_log_names_who_did_what(world: &World) {
    let purchase = world.parked("A").await;
    let letter = world.letter(&purchase).await;
    world.ledger.replay_letter(LetterRef::Id(letter.id), &Actor::local("ann")).await.unwrap();
    for _ in 0..2 {
        world.ledger.discard_letter(LetterRef::Id(letter.id), &Actor::local("bob")).await.unwrap();
    }
    let about = AuditQuery {
        subject: Some(format!("dead-letters/{}", letter.id)),
        limit: 10,
        ..AuditQuery::default()
    };
    let log = world.ledger.audit_log(&about).await.unwrap();
    let said: Vec<_> = log.iter().map(|entry| (&*entry.actor, &*entry.action)).collect();
    assert_eq!(said, [("ann", "dead-letter.replay"), ("bob", "dead-letter.discard")]);
    for entry in &log {
        assert_eq!(entry.subject, format!("dead-letters/{}", letter.id));
        assert_eq!(entry.details["orderId"], purchase.id.to_string());
        assert!(entry.at >= letter.at);
    }
    let later = AuditQuery { after: log[0].id, ..about.clone() };
    assert_eq!(world.ledger.audit_log(&later).await.unwrap(), log[1..]);
    let anns = AuditQuery { actor: Some("ann".into()), ..about.clone() };
    assert_eq!(world.ledger.audit_log(&anns).await.unwrap(), log[..1]);
    let discards = AuditQuery { action: Some("dead-letter.discard".into()), ..about };
    assert_eq!(world.ledger.audit_log(&discards).await.unwrap(), log[1..]);
}

/// What only a database can be asked to do.
#[tokio::test]
async fn the_log_is_only_ever_added_to() {
    let world = World::postgres().await;
    let purchase = world.parked("A").await;
    world.discard(LetterRef::Order(purchase.id)).await.unwrap();
    let changes =
        ["update audit_log set actor = 'nobody'", "delete from audit_log", "truncate audit_log"];
    let client = world.database().client().await;
    for sql in changes {
        let error = client.batch_execute(sql).await.unwrap_err();
        let why = error.as_db_error().unwrap().message();
        assert!(why.contains("only ever added to"), "{sql}: {why}");
    }
    let all = AuditQuery { limit: 10, ..AuditQuery::default() };
    assert_eq!(world.ledger.audit_log(&all).await.unwrap().len(), 2);
}
