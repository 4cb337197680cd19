//! Pay: checkout of a hold, and what is heard of its payment, now or later.
//!
//! checkout → `PENDING` recorded → collect → `CONFIRMED` or `FAILED` recorded. The order is pending
//! before the provider is asked, so that no crash can lose sight of money: if nobody hears the
//! verdict, `pay_by` passes, the units go back, and a success that comes still later is honoured or
//! due back.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::advance::{AdvanceError, Advancer};
use super::group_commit::LineError;
use super::key::KeyRing;
use crate::config::{self, LatePayment, RefusedPayment};
use crate::domain::{
    Act, Advanced, Command, Late, Order, Payment, PaymentRef, Status, TrackingId, UserId,
};
use crate::ports::{Charge, Clock, LedgerClock, LedgerError, PaymentGateway, PaymentVerdict};

/// Payments being collected at once; more checkouts are turned away.
const COLLECTING_MAX: usize = 10_000;
/// A verdict that is about to come is still heard when the program is asked to stop.
const GRACE: Duration = Duration::from_secs(1);

/// Takes payments for holds.
#[derive(Clone)]
pub struct Cashier {
    advancer: Advancer,
    gateway: Arc<dyn PaymentGateway>,
    keys: Arc<KeyRing>,
    clock: Arc<LedgerClock>,
    rules: config::Payments,
    collecting: Arc<Semaphore>,
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
        rules: config::Payments,
        draining: CancellationToken,
    ) -> Self {
        let collecting = Arc::new(Semaphore::new(COLLECTING_MAX));
        Self { advancer, gateway, keys, clock, rules, collecting, draining }
    }

    /// Begins to pay for a hold and waits a moment for the verdict: the order is then confirmed,
    /// failed or still pending. The same checkout again is the same payment.
    pub async fn check_out(
        &self,
        id: TrackingId,
        user: Option<UserId>,
        payment: Payment,
    ) -> Result<Order, AdvanceError> {
        let permit = Arc::clone(&self.collecting).try_acquire_owned();
        let permit = permit.map_err(|_| LineError::Full)?;
        let reference = payment.reference.clone();
        let within_ms = i64::try_from(self.rules.pay_within.as_millis()).unwrap_or(i64::MAX);
        let act = Act::Checkout { payment, within_ms };
        let order = self.advancer.advance(Command { id, user, act }).await?.order;
        let (Status::Pending, Some(terms)) = (order.status, &order.terms) else {
            return Ok(order);
        };
        let amount = terms.unit_price.times(terms.quantity.units());
        let charge = Charge { order_id: id, reference, amount };
        let cashier = self.clone();
        // Goes on when the client has gone, and when it has waited long enough.
        let collecting = tokio::spawn(async move {
            let _permit = permit;
            cashier.collect(charge).await
        });
        match tokio::time::timeout(self.rules.timeout, collecting).await {
            Ok(Ok(Some(settled))) => Ok(settled),
            // No verdict yet, or one that could not be recorded: pending is what is known.
            Ok(Ok(None) | Err(_)) | Err(_) => Ok(order),
        }
    }

    /// Collects a payment and records the verdict, if there is one in time.
    async fn collect(&self, charge: Charge) -> Option<Order> {
        let enough = async {
            tokio::select! {
                () = sleep(self.rules.pay_within) => {}
                () = self.draining.cancelled() => sleep(GRACE).await,
            }
        };
        let verdict = tokio::select! {
            verdict = self.gateway.collect(&charge) => verdict,
            () = enough => return None,
        };
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(error) => {
                warn!(order = %charge.order_id, %error, "a payment is left to the webhook");
                return None;
            }
        };
        let recorded = match verdict {
            PaymentVerdict::Approved => self.succeeded(charge.order_id, charge.reference).await,
            PaymentVerdict::Declined => self.declined(charge.order_id, charge.reference).await,
            PaymentVerdict::Open => return None,
        };
        match recorded {
            Ok(advanced) => Some(advanced.order),
            Err(error) => {
                warn!(order = %charge.order_id, %error, ?verdict, "a verdict is left to the webhook");
                None
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
        let advanced = self.advancer.advance(Command { id, user: None, act }).await?;
        if advanced.order.refund.is_some() {
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
        self.advancer.advance(Command { id, user: None, act }).await
    }
}
