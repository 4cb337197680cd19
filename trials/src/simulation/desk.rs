//! Where a client meets an API: what a connection and the routes behind it do, and nothing more.

use std::time::Duration;

use api::state::App;
use shared::domain::{
    Advanced, Command, Order, Payment, PaymentRef, ProductRef, Settled, TrackingId, UserId,
};
use shared::pipeline::admit::{AdmitError, Admitted, Item, Request, Want as Kind};
use shared::pipeline::track::TrackError;
use tokio::time::timeout;

use super::programs::Api;
use crate::history::{Answer, Seen, Want, What};
use crate::world::World;

/// A client library's usual limit.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Api {
    /// What `work` answers, unless the connection breaks or the client loses patience.
    pub(super) async fn ask<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.node.died() => None,
            answer = timeout(TIMEOUT, work) => answer.ok(),
        }
    }

    /// One attempt to buy or hold.
    pub(super) async fn purchase(
        &self,
        world: &World,
        attempt: u64,
        want: &Want,
        sync: bool,
    ) -> Answer {
        world.note(What::Asked { attempt, want: want.clone() });
        let answer = self.ask(purchase(&self.app, want, sync)).await.unwrap_or(Answer::Unknown);
        world.note(What::Answered { attempt, answer: answer.clone() });
        answer
    }

    /// A look at an order.
    pub(super) async fn look(&self, world: &World, id: TrackingId) -> Seen {
        let seen = match self.ask(self.app.tracker.look(id)).await {
            Some(Ok(tracked)) => Seen::Order {
                order: tracked.order.id,
                status: tracked.order.status,
                version: tracked.order.version,
            },
            Some(Err(TrackError::NeverIssued)) => Seen::NeverIssued,
            Some(Err(TrackError::Ledger(_) | TrackError::Line(_))) | None => Seen::Unknown,
        };
        let reader = self.node.name.clone();
        world.note(What::Looked { reader, id, seen: seen.clone() });
        seen
    }

    /// Begins to pay for a hold.
    pub(super) async fn check_out(
        &self,
        id: TrackingId,
        user: &UserId,
        reference: &PaymentRef,
    ) -> Option<Order> {
        let payment = Payment::of(reference.clone());
        let paid = self.app.cashier.check_out(id, Some(user.clone()), payment);
        self.ask(paid).await?.ok()
    }

    /// What the provider reports.
    pub(super) async fn report(
        &self,
        id: TrackingId,
        reference: &PaymentRef,
        paid: bool,
    ) -> Option<Advanced> {
        let cashier = &self.app.cashier;
        let reported = async {
            if paid {
                cashier.succeeded(id, reference.clone()).await
            } else {
                cashier.declined(id, reference.clone()).await
            }
        };
        self.ask(reported).await?.ok()
    }

    /// Any other command.
    pub(super) async fn advance(&self, command: Command) -> Option<Advanced> {
        self.ask(self.app.advancer.advance(command)).await?.ok()
    }
}

async fn purchase(app: &App, want: &Want, sync: bool) -> Answer {
    let request = Request {
        item: Item::Product(ProductRef::Id(want.product)),
        quantity: want.quantity,
        user_id: want.user.clone(),
        want: if want.hold { Kind::Hold } else { Kind::Buy },
        key: want.key.clone(),
        traceparent: None,
    };
    let purchase = match app.admitter.admit(request).await {
        Ok(Admitted::Purchase(purchase)) => purchase,
        Ok(Admitted::Stored(order)) if sync => return decided(&order),
        Ok(Admitted::Stored(order)) => return Answer::Accepted { id: order.id },
        Err(AdmitError::Refused(reason)) => return Answer::Refused { reason },
        Err(_) => return Answer::Unknown,
    };
    let id = purchase.id;
    if !sync {
        return match app.admitter.publish(purchase).await {
            Ok(()) => Answer::Accepted { id },
            Err(_) => Answer::Unknown,
        };
    }
    match app.concluder.conclude(purchase).await {
        Ok(Settled::Order(order)) => decided(&order),
        Ok(Settled::Collision) | Err(_) => Answer::Unknown,
    }
}

fn decided(order: &Order) -> Answer {
    Answer::Decided { id: order.id, status: order.status, version: order.version }
}
