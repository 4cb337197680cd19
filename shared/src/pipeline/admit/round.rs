//! A round of admission: what many candidates need of others, in one round trip each.
//!
//! user's limit everywhere → idempotency → publish
//!
//! In this order, for whoever is refused by a limit must not be remembered under its key, and what is published
//! must have been remembered. Whoever is refused at one stage is not in the next.

use std::sync::Arc;

use tracing::debug;

use super::quota::{Quota, Taking, UserLimits};
use super::request::AdmitError;
use super::same_request;
use crate::domain::Purchase;
use crate::failpoints;
use crate::planted::planted;
use crate::ports::{IdempotencyMap, PurchaseQueue, QueueError};

/// A purchase that nothing known here speaks against.
pub(super) struct Candidate {
    pub(super) purchase: Purchase,
    pub(super) taking: Taking,
}

impl Candidate {
    /// Whether there is nothing to ask of others.
    pub(super) fn needs_nobody(&self) -> bool {
        self.taking.is_nothing() && self.purchase.keyed.is_none()
    }
}

/// What goes on (of a retry, exactly the purchase of the first try), and how its user stands.
pub(super) type Passed = Result<(Purchase, Option<Quota>), AdmitError>;

type Verdict = Result<Option<Quota>, AdmitError>;

/// Whom a round asks.
#[derive(Clone)]
pub(super) struct Rounds {
    pub(super) limits: UserLimits,
    pub(super) map: Arc<dyn IdempotencyMap>,
    pub(super) queue: Arc<dyn PurchaseQueue>,
}

impl Rounds {
    /// Limits and keys, for those who go on without the queue.
    pub(super) async fn clear(self, candidates: Vec<Candidate>) -> Vec<Passed> {
        self.cleared(candidates).await.answers()
    }

    /// Limits, keys and the broker.
    pub(super) async fn accept(self, candidates: Vec<Candidate>) -> Vec<Passed> {
        let mut round = self.cleared(candidates).await;
        round.publish(&*self.queue).await;
        round.answers()
    }

    async fn cleared(&self, candidates: Vec<Candidate>) -> Round {
        let mut round = Round::limited(&self.limits, candidates).await;
        round.remember(&*self.map).await;
        round
    }
}

/// A round under way.
struct Round {
    /// Of every candidate.
    verdicts: Vec<Verdict>,
    /// Of those who are not refused, in the same order.
    purchases: Vec<Purchase>,
}

impl Round {
    async fn limited(limits: &UserLimits, candidates: Vec<Candidate>) -> Self {
        let (mut purchases, takings): (Vec<_>, Vec<_>) =
            candidates.into_iter().map(|one| (one.purchase, one.taking)).unzip();
        let quotas = limits.take_everywhere(&purchases, takings).await;
        let mut quotas_left = quotas.iter();
        purchases.retain(|_| quotas_left.next().is_some_and(Result::is_ok));
        let verdicts = quotas.into_iter().map(|quota| quota.map_err(AdmitError::Limited));
        Self { verdicts: verdicts.collect(), purchases }
    }

    /// Remembers keyed purchases, or goes on with the one remembered under the key. Without the map the ledger's
    /// unique index is the backstop.
    async fn remember(&mut self, map: &dyn IdempotencyMap) {
        if self.purchases.iter().all(|purchase| purchase.keyed.is_none()) {
            return;
        }
        let earlier = match map.remember(&self.purchases).await {
            Ok(earlier) => earlier,
            Err(error) => return debug!(%error, "accepting without the idempotency map"),
        };
        let purchases = std::mem::take(&mut self.purchases);
        let in_it = self.verdicts.iter_mut().filter(|verdict| verdict.is_ok());
        for ((purchase, earlier), verdict) in purchases.into_iter().zip(earlier).zip(in_it) {
            let Some(original) = earlier else {
                self.purchases.push(purchase);
                continue;
            };
            match same_request(purchase.keyed.as_ref(), original.keyed.as_ref()) {
                Ok(()) => self.purchases.push(original),
                Err(refused) => *verdict = Err(refused),
            }
        }
    }

    /// Publishes all of it as one message.
    async fn publish(&mut self, queue: &dyn PurchaseQueue) {
        if self.purchases.is_empty() {
            return;
        }
        failpoints::reach("admit.stamped").await;
        let published = queue.publish(&self.purchases).await;
        if planted("accept-without-confirm") {
            return;
        }
        if let Err(error) = published {
            let error = not_published(error);
            let in_it = self.verdicts.iter_mut().filter(|verdict| verdict.is_ok());
            in_it.for_each(|verdict| *verdict = Err(error.clone()));
            self.purchases.clear();
        }
    }

    fn answers(self) -> Vec<Passed> {
        let mut purchases = self.purchases.into_iter();
        let missing = || AdmitError::Unavailable("the round lost a purchase".into());
        let answer = |verdict: Verdict| {
            let quota = verdict?;
            purchases.next().map(|purchase| (purchase, quota)).ok_or_else(missing)
        };
        self.verdicts.into_iter().map(answer).collect()
    }
}

fn not_published(error: QueueError) -> AdmitError {
    match error {
        QueueError::Refused(why) => {
            debug!(why, "the broker refused");
            AdmitError::Overloaded
        }
        QueueError::Unavailable(_) => AdmitError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::embedded::{EmbeddedIdempotencyMap, EmbeddedQueue, EmbeddedRates};
    use crate::domain::envelope;
    use crate::domain::testing::{purchase, with_key};
    use crate::domain::{ProductRef, Reason, Terms, TrackingId};
    use crate::pipeline::admit::{Item, Request, Want};
    use crate::pipeline::limits::Limiter;
    use crate::ports::UserKey;

    struct World {
        rounds: Rounds,
        /// Another instance's.
        elsewhere: UserLimits,
        queue: Arc<EmbeddedQueue>,
        map: Arc<EmbeddedIdempotencyMap>,
    }

    impl World {
        /// Each user may buy once, and `messages_max` messages are taken.
        fn new(messages_max: usize) -> Self {
            let rates = Arc::new(EmbeddedRates::default());
            let [limits, elsewhere] =
                [rates.clone(), rates].map(|rates| UserLimits::new(Limiter::start(rates), 1, 0));
            let queue = Arc::new(EmbeddedQueue::new(messages_max));
            let map = Arc::new(EmbeddedIdempotencyMap::default());
            let rounds = Rounds { limits, map: map.clone(), queue: queue.clone() };
            Self { rounds, elsewhere, queue, map }
        }

        /// One of each kind: over the limit, plain, a key that means something else, a retry, a new key.
        async fn mixed_round(&self) -> Vec<Passed> {
            let known =
                [with_key(purchase(1, "reuser", 1), "r"), with_key(purchase(2, "again", 1), "a")];
            self.map.remember(&known).await.unwrap();
            let Candidate { purchase: bought, taking } =
                candidate(purchase(3, "eager", 1), &self.elsewhere);
            self.elsewhere.take_everywhere(&[bought], vec![taking]).await[0].unwrap();
            let round = [
                with_key(purchase(11, "eager", 1), "e"),
                purchase(12, "plain", 1),
                with_key(purchase(13, "reuser", 2), "r"),
                with_key(purchase(14, "again", 1), "a"),
                with_key(purchase(15, "new", 1), "n"),
            ];
            let candidates = round.map(|purchase| candidate(purchase, &self.rounds.limits));
            self.rounds.clone().accept(candidates.into()).await
        }

        fn published(&self) -> Vec<TrackingId> {
            let messages = self.queue.messages();
            let purchases =
                messages.iter().flat_map(|(body, ..)| envelope::decode(body).unwrap().purchases);
            purchases.map(|purchase| purchase.id).collect()
        }
    }

    /// What the instance of these limits lets through.
    fn candidate(purchase: Purchase, limits: &UserLimits) -> Candidate {
        let Terms { product_id, quantity, user_id, .. } = purchase.terms.clone();
        let request = Request {
            item: Item::Product(ProductRef::Id(product_id)),
            quantity,
            user_id,
            want: Want::Buy,
            key: None,
            pass: None,
            traceparent: None,
        };
        let taking = limits.take_here(&request).ok().unwrap();
        Candidate { purchase, taking }
    }

    fn ids<const N: usize>(numbers: [u128; N]) -> Vec<TrackingId> {
        numbers.map(crate::domain::testing::id).into()
    }

    /// The ID of each who goes on, and why the others do not.
    fn in_short(passed: &[Passed]) -> Vec<Result<TrackingId, String>> {
        let short = |one: &Passed| match one {
            Ok((purchase, _)) => Ok(purchase.id),
            Err(error) => Err(format!("{error:?}")),
        };
        passed.iter().map(short).collect()
    }

    #[tokio::test]
    async fn each_of_a_mixed_round_gets_its_own_answer() {
        let world = World::new(1);
        let passed = world.mixed_round().await;
        let [Err(AdmitError::Limited(eager)), plain, reuser, again, new] = &passed[..] else {
            panic!("{:?}", in_short(&passed))
        };
        assert_eq!((eager.name, eager.rated.allowed), ("purchases", false));
        assert!(matches!(reuser, Err(AdmitError::Refused(Reason::IdempotencyKeyReused))));
        let gone_on = [plain, again, new].map(|one| one.as_ref().unwrap());
        assert_eq!(gone_on.map(|(purchase, _)| purchase.id), *ids([12, 2, 15]));
        assert!(gone_on.iter().all(|(_, quota)| quota.is_some_and(|quota| quota.rated.allowed)));
        assert_eq!(world.published(), ids([12, 2, 15]));
    }

    #[tokio::test]
    async fn who_is_over_a_limit_is_not_remembered() {
        let world = World::new(1);
        world.mixed_round().await;
        let key = |user: &str, key| -> UserKey {
            let purchase = with_key(purchase(0, user, 1), key);
            (purchase.terms.user_id, purchase.keyed.unwrap().key)
        };
        let found = world.map.recall(&[key("eager", "e"), key("new", "n")]).await.unwrap();
        let found: Vec<_> =
            found.into_iter().map(|found| found.map(|purchase| purchase.id)).collect();
        assert_eq!(found, [None, Some(ids([15])[0])]);
    }

    #[tokio::test]
    async fn a_broker_that_refuses_changes_no_other_answer() {
        let world = World::new(0);
        let passed = world.mixed_round().await;
        let [eager, plain, reuser, again, new] = &passed[..] else {
            panic!("{:?}", in_short(&passed))
        };
        assert!(matches!(eager, Err(AdmitError::Limited(_))));
        assert!(matches!(reuser, Err(AdmitError::Refused(Reason::IdempotencyKeyReused))));
        for refused in [plain, again, new] {
            assert!(matches!(refused, Err(AdmitError::Overloaded)));
        }
        assert_eq!(world.published(), []);
    }
}
