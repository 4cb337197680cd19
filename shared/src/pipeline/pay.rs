//! Pay: checkout of a hold, and what is heard of its payment, now or later.
//!
//! checkout → `PENDING` recorded → collect → `CONFIRMED` or `FAILED` recorded. The order is pending
//! before the provider is asked, so that no crash can lose sight of money: if nobody hears the
//! verdict, `pay_by` passes, the units go back, and a success that comes still later is honoured or
//! due back.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::admit::UserLimits;
use super::advance::{AdvanceError, Advancer};
use super::group_commit::LineError;
use super::key::KeyRing;
use crate::config::{self, LatePayment, RefusedPayment};
use crate::domain::{
    Act, Actor, Advanced, Command, Late, Order, Payment, PaymentRef, Status, TrackingId, UserId,
};
use crate::failpoints;
use crate::ports::{Charge, Clock, LedgerClock, LedgerError, PaymentGateway, PaymentVerdict};

/// Payments being collected at once; more checkouts are turned away.
const COLLECTING_MAX: usize = 10_000;
/// A verdict that is about to come is still heard when the program is asked to stop.
const GRACE: Duration = Duration::from_secs(1);
/// A verdict that cannot be recorded is tried again after this pause, doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

type Collecting = Arc<Mutex<HashSet<TrackingId>>>;

/// The turn to collect for an order; dropping it ends it.
struct Turn {
    collecting: Collecting,
    id: TrackingId,
}

impl Turn {
    /// None while somebody else has it.
    fn take(collecting: &Collecting, id: TrackingId) -> Option<Self> {
        let mine = collecting.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        mine.then(|| Self { collecting: Arc::clone(collecting), id })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.collecting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// What a pending order still has to be paid.
fn charge(order: &Order) -> Option<Charge> {
    let (Status::Pending, Some(terms)) = (order.status, &order.terms) else { return None };
    let reference = order.payment.as_ref()?.reference.clone();
    let amount = terms.unit_price.times(terms.quantity.units());
    Some(Charge { order_id: order.id, reference, amount })
}

/// Takes payments for holds.
#[derive(Clone)]
pub struct Cashier {
    advancer: Advancer,
    gateway: Arc<dyn PaymentGateway>,
    keys: Arc<KeyRing>,
    clock: Arc<LedgerClock>,
    limits: UserLimits,
    rules: config::Payments,
    /// Bounds the payments under way.
    permits: Arc<Semaphore>,
    /// Orders whose payment is being collected by this instance.
    collecting: Collecting,
    draining: CancellationToken,
}

impl Cashier {
    /// A cashier who asks `gateway` and records by `advancer`, and does not wait for slow providers
    /// any more once the program is `draining`.
    pub fn new(
        advancer: Advancer,
        gateway: Arc<dyn PaymentGateway>,
        keys: Arc<KeyRing>,
        clock: Arc<LedgerClock>,
        limits: UserLimits,
        rules: config::Payments,
        draining: CancellationToken,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(COLLECTING_MAX));
        let collecting = Collecting::default();
        Self { advancer, gateway, keys, clock, limits, rules, permits, collecting, draining }
    }

    /// Begins to pay for a hold and waits a moment for the verdict: the order is then confirmed,
    /// failed or still pending. The same checkout again is the same payment; of one that was honoured
    /// late the answer is the new order.
    pub async fn check_out(
        &self,
        id: TrackingId,
        user: Option<UserId>,
        payment: Payment,
        by: Option<Actor>,
    ) -> Result<Order, AdvanceError> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|_| LineError::Full)?;
        let (begun, began) = oneshot::channel();
        let cashier = self.clone();
        // Goes on when the client has gone, and when it has waited long enough.
        let collecting = tokio::spawn(async move {
            let _permit = permit;
            let outcome = cashier.begin(id, user, payment, by).await;
            let order = outcome.as_ref().ok().cloned();
            let _ = begun.send(outcome);
            let charge = order.and_then(|order| charge(&order))?;
            // Whoever is asking for this order already will tell.
            let _turn = Turn::take(&cashier.collecting, id)?;
            cashier.collect(charge).await
        });
        let order = began.await.map_err(|_| LineError::Closed)??;
        match tokio::time::timeout(self.rules.timeout, collecting).await {
            Ok(Ok(Some(settled))) => Ok(settled),
            // No verdict yet, or none that could be recorded: this is what is known.
            Ok(Ok(None) | Err(_)) | Err(_) => Ok(order),
        }
    }

    async fn begin(
        &self,
        id: TrackingId,
        user: Option<UserId>,
        payment: Payment,
        by: Option<Actor>,
    ) -> Result<Order, AdvanceError> {
        let within_ms = i64::try_from(self.rules.pay_within.as_millis()).unwrap_or(i64::MAX);
        let act = Act::Checkout { payment, within_ms };
        let advanced = self.advancer.advance(Command { id, user, act, by }).await?;
        Ok(advanced.reclaim.unwrap_or(advanced.order))
    }

    /// Collects a payment and records the verdict, if there is one in time.
    async fn collect(&self, charge: Charge) -> Option<Order> {
        failpoints::reach("pay.begun").await;
        let enough = async {
            tokio::select! {
                () = sleep(self.rules.pay_within) => {}
                () = self.draining.cancelled() => sleep(GRACE).await,
            }
        };
        let mut enough = std::pin::pin!(enough);
        let verdict = tokio::select! {
            verdict = self.gateway.collect(&charge) => verdict,
            () = &mut enough => return None,
        };
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(error) => {
                warn!(order = %charge.order_id, %error, "a payment is left to the webhook");
                return None;
            }
        };
        failpoints::reach("pay.collected").await;
        self.record(&charge, verdict, enough).await
    }

    /// Records a verdict, again and again while the ledger is away: money must not be forgotten.
    async fn record(
        &self,
        charge: &Charge,
        verdict: PaymentVerdict,
        enough: impl Future<Output = ()>,
    ) -> Option<Order> {
        let mut enough = std::pin::pin!(enough);
        let mut pause = RETRY_FIRST;
        loop {
            let (id, reference) = (charge.order_id, charge.reference.clone());
            let recorded = match verdict {
                PaymentVerdict::Approved => self.succeeded(id, reference).await,
                PaymentVerdict::Declined => self.declined(id, reference).await,
                PaymentVerdict::Open => return None,
            };
            match recorded {
                Ok(advanced) => return Some(advanced.reclaim.unwrap_or(advanced.order)),
                Err(AdvanceError::Refused(refusal)) => {
                    error!(order = %id, ?verdict, %refusal, "a verdict without an order");
                    return None;
                }
                Err(error) => warn!(order = %id, ?verdict, %error, "a verdict is not recorded yet"),
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(RETRY_MAX),
                () = &mut enough => {
                    error!(order = %id, ?verdict, "a verdict is left to the webhook");
                    return None;
                }
            }
        }
    }

    /// A payment succeeded, be it in time or late.
    pub async fn succeeded(
        &self,
        id: TrackingId,
        reference: PaymentRef,
    ) -> Result<Advanced, AdvanceError> {
        let late = match self.rules.late {
            LatePayment::Refund => Late::Refund,
            LatePayment::Reclaim => {
                let unknown = || LedgerError::Unavailable("no tracking key yet".into());
                let minter = self.keys.minter().ok_or_else(unknown)?;
                Late::Reclaim(minter.mint(self.clock.now()))
            }
        };
        counter!("doorbuster_payments_total", "verdict" => "approved").increment(1);
        let act = Act::Paid { reference, late };
        let advanced = self.advancer.advance(Command { id, user: None, act, by: None }).await?;
        let Advanced { order, changed, .. } = &advanced;
        // What was held is sold: it does not count as a hold that is let go.
        if let (true, Status::Confirmed, Some(_), Some(terms)) =
            (*changed, order.status, order.expires_at, &order.terms)
        {
            self.limits.hold_paid(&terms.user_id).await;
        }
        if order.refund.is_some() {
            debug!(order = %id, "money is due back");
        }
        Ok(advanced)
    }

    /// A payment was refused.
    pub async fn declined(
        &self,
        id: TrackingId,
        reference: PaymentRef,
    ) -> Result<Advanced, AdvanceError> {
        counter!("doorbuster_payments_total", "verdict" => "declined").increment(1);
        let keep_hold = self.rules.refused == RefusedPayment::KeepHold;
        let act = Act::Declined { reference, keep_hold };
        self.advancer.advance(Command { id, user: None, act, by: None }).await
    }
}
