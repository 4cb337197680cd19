//! Where the crowd meets the simulated APIs: what a connection and the routes behind it do, and
//! nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::state::App;
use async_trait::async_trait;
use fastrand::Rng;
use shared::domain::testing::tester;
use shared::domain::{
    Act, Command, Order, Payment, PaymentRef, ProductId, ProductRef, Settled, TrackingId, UserId,
};
use shared::pipeline::admit::{AdmitError, Admitted, Item, Request, Want as Kind};
use shared::pipeline::track::TrackError;
use shared::ports::{Announcement, LedgerError, ProductChange};
use tokio::time::timeout;

use super::programs::{Api, Programs};
use crate::crowd::{Counter, End};
use crate::history::{Answer, Seen, Want, What};
use crate::world::World;

/// A client library's usual limit.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The simulated APIs, as a balancer offers them.
pub(super) struct Desk {
    world: Arc<World>,
    programs: Arc<Programs>,
    attempts: AtomicU64,
}

impl Desk {
    pub(super) fn new(world: Arc<World>, programs: Arc<Programs>) -> Self {
        Self { world, programs, attempts: AtomicU64::new(1) }
    }
}

impl Api {
    /// What `work` answers, unless the connection breaks or the client loses patience.
    async fn ask<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.node.died() => None,
            answer = timeout(TIMEOUT, work) => answer.ok(),
        }
    }

    /// Tells of what an operator changed; false where there was no answer.
    fn spread(&self, done: Option<Result<Announcement, LedgerError>>) -> bool {
        if let Some(Ok(announcement)) = done {
            self.app.spread(announcement);
            return true;
        }
        false
    }
}

#[async_trait]
impl Counter for Desk {
    async fn purchase(&self, rng: &mut Rng, want: &Want, sync: bool) -> Answer {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let api = self.programs.api(rng);
        self.world.note(What::Asked { attempt, want: want.clone() });
        let answer = api.ask(purchase(&api.app, want, sync)).await.unwrap_or(Answer::Unknown);
        self.world.note(What::Answered { attempt, answer: answer.clone() });
        answer
    }

    async fn look(&self, rng: &mut Rng, id: TrackingId) -> Seen {
        let api = self.programs.api(rng);
        let seen = match api.ask(api.app.tracker.look(id)).await {
            Some(Ok(tracked)) => Seen::Order {
                order: tracked.order.id,
                status: tracked.order.status,
                version: tracked.order.version,
            },
            Some(Err(TrackError::NeverIssued)) => Seen::NeverIssued,
            Some(Err(TrackError::Ledger(_) | TrackError::Line(_))) | None => Seen::Unknown,
        };
        let reader = api.node.name.clone();
        self.world.note(What::Looked { reader, id, seen: seen.clone() });
        seen
    }

    async fn check_out(&self, rng: &mut Rng, id: TrackingId, user: &UserId, reference: &str) {
        let api = self.programs.api(rng);
        let Ok(reference) = PaymentRef::parse(reference) else { return };
        let paid = api.app.cashier.check_out(id, Some(user.clone()), Payment::of(reference), None);
        api.ask(paid).await;
    }

    async fn report(&self, rng: &mut Rng, id: TrackingId, reference: &str, paid: bool) {
        let api = self.programs.api(rng);
        let Ok(reference) = PaymentRef::parse(reference) else { return };
        let cashier = &api.app.cashier;
        if paid {
            api.ask(cashier.succeeded(id, reference)).await;
        } else {
            api.ask(cashier.declined(id, reference)).await;
        }
    }

    async fn end(&self, rng: &mut Rng, id: TrackingId, user: &UserId, how: End) -> bool {
        let api = self.programs.api(rng);
        let (user, act) = match how {
            End::Release => (Some(user.clone()), Act::Release),
            End::Cancel => (Some(user.clone()), Act::Cancel),
            End::Fulfil => (None, Act::Fulfil),
        };
        let advanced = api.ask(api.app.advancer.advance(Command { id, user, act, by: None })).await;
        advanced.is_some_and(|advanced| advanced.is_ok())
    }

    async fn restock(&self, rng: &mut Rng, product: ProductId, delta: i64) -> bool {
        let api = self.programs.api(rng);
        let product = ProductRef::Id(product);
        let restocked = api.ask(api.app.ports.ledger.restock(&product, delta, &tester())).await;
        api.spread(restocked)
    }

    async fn set_active(&self, rng: &mut Rng, product: ProductId, active: bool) -> bool {
        let api = self.programs.api(rng);
        let product = ProductRef::Id(product);
        let change = ProductChange { active: Some(active), ..ProductChange::default() };
        let changed =
            api.ask(api.app.ports.ledger.change_product(&product, &change, &tester())).await;
        api.spread(changed.map(|changed| changed.map(|(_, announcement)| announcement)))
    }
}

async fn purchase(app: &App, want: &Want, sync: bool) -> Answer {
    let request = Request {
        item: Item::Product(ProductRef::Id(want.product)),
        quantity: want.quantity,
        user_id: want.user.clone(),
        want: if want.hold { Kind::Hold } else { Kind::Buy },
        key: want.key.clone(),
        pass: None,
        traceparent: None,
    };
    let admission = if sync {
        app.admitter.admit(request, || app.concluder.room()).await
    } else {
        app.admitter.accept(request).await
    };
    let purchase = match admission.map(|admission| admission.admitted) {
        Ok(Admitted::Purchase(purchase)) => purchase,
        Ok(Admitted::Stored(order)) if sync => return decided(&order),
        Ok(Admitted::Stored(order)) => return Answer::Accepted { id: order.id },
        Err(AdmitError::Refused(reason)) => return Answer::Refused { reason },
        Err(_) => return Answer::Unknown,
    };
    if !sync {
        return Answer::Accepted { id: purchase.id };
    }
    match app.concluder.conclude(purchase).await {
        Ok(Settled::Order(order)) => decided(&order),
        Ok(Settled::Collision) | Err(_) => Answer::Unknown,
    }
}

fn decided(order: &Order) -> Answer {
    Answer::Decided { id: order.id, status: order.status, version: order.version }
}
