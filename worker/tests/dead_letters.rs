//! Dead letters over the embedded adapters: everything in their queue is a letter in the ledger, and
//! leaves the queue when that letter is dealt with.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use shared::domain::testing::{purchase_of, tester};
use shared::domain::{Purchase, Reason, Status, envelope};
use shared::ports::{DeadLetter, KeptLetter, LetterId, LetterQuery, LetterRef};
use shared::testing::eventually;
use support::{World, forged, product};

impl World {
    /// What the broker would do with a message.
    async fn dead_letter(&self, body: &[u8]) {
        let letter = DeadLetter { order_id: None, body: body.to_vec(), error: String::new() };
        self.ports.queue.publish_dead(&letter).await.unwrap();
    }

    async fn letters(&self, count: usize) -> Vec<KeptLetter> {
        eventually("the letters are kept", async || {
            let query = LetterQuery { open: true, after: LetterId(0), limit: 100 };
            let letters = self.ports.ledger.letters(&query).await.unwrap();
            (letters.len() == count).then_some(letters)
        })
        .await
    }

    async fn discard(&self, letter: LetterRef) {
        assert!(self.ports.ledger.discard_letter(letter, &tester()).await.unwrap().changed);
    }

    async fn replay(&self, purchase: &Purchase) {
        let letter = LetterRef::Order(purchase.id);
        let moved = self.ports.ledger.replay_letter(letter, &tester()).await.unwrap();
        self.publish(&[moved.letter.replay().unwrap()]).await;
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_a_letter_until_it_is_discarded() {
    let world = World::start().await;
    for _ in 0..2 {
        world.dead_letter(b"\xffgarbage").await;
    }
    let letters = world.letters(1).await;
    assert_eq!((&*letters[0].letter.body, letters[0].letter.order_id), (&b"\xffgarbage"[..], None));
    world.dead_letters(2).await;
    world.discard(LetterRef::Id(letters[0].id)).await;
    world.dead_letters(0).await;
    world.stop().await;
}

#[tokio::test]
async fn a_message_leaves_when_all_its_purchases_are_dealt_with() {
    let world = World::start().await;
    let (one, two) = (world.purchase("u-1", 1), world.purchase("u-2", 1));
    let strange = purchase_of(forged(), product(), "eve", 1);
    world.dead_letter(&envelope::encode(&[one.clone(), strange, two.clone()])).await;
    let letters = world.letters(3).await;
    assert_eq!(letters.iter().filter(|letter| letter.letter.order_id.is_some()).count(), 2);
    // The message, and a copy of each purchase that was parked.
    world.dead_letters(3).await;

    world.discard(LetterRef::Order(one.id)).await;
    world.dead_letters(2).await;
    let orphan = letters.iter().find(|letter| letter.order.is_none()).unwrap();
    world.discard(LetterRef::Id(orphan.id)).await;
    world.replay(&two).await;
    world.dead_letters(0).await;
    assert_eq!(world.order(one.id).await.reason, Some(Reason::Discarded));
    assert_eq!(world.order(two.id).await.status, Status::Confirmed);
    world.stop().await;
    assert_eq!(world.sold().await, 1);
}

#[tokio::test]
async fn what_was_settled_all_the_same_is_no_letter() {
    let world = World::start().await;
    let purchase = world.purchase("u-1", 1);
    world.publish(std::slice::from_ref(&purchase)).await;
    world.decided(std::slice::from_ref(&purchase)).await;
    let mut collision = purchase.clone();
    collision.terms.user_id = shared::domain::UserId::parse("eve").unwrap();
    world.dead_letter(&envelope::encode(std::slice::from_ref(&purchase))).await;
    world.dead_letter(&envelope::encode(&[collision])).await;
    let letters = world.letters(1).await;
    assert_eq!(letters[0].order, None);
    world.dead_letters(1).await;
    world.stop().await;
    assert_eq!(world.sold().await, 1);
}

#[tokio::test]
async fn a_replay_that_fails_is_the_same_letter_again() {
    let world = World::start().await;
    let poison = world.purchase("poison", 1);
    world.publish(std::slice::from_ref(&poison)).await;
    let first = world.letters(1).await.remove(0);
    assert_eq!(first.attempts, 3);
    world.dead_letters(1).await;
    world.replay(&poison).await;
    let again = eventually("it has failed again", async || {
        let letter = world.letters(1).await.remove(0);
        (letter.attempts == 6).then_some(letter)
    })
    .await;
    assert_eq!((again.id, again.replayed_at), (first.id, None));
    assert_eq!(world.order(poison.id).await.status, Status::Parked);
    world.stop().await;
    assert_eq!(world.ports.queue.status().await.unwrap().dead_letters, 1);
}
