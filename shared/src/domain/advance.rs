//! What happens to an order after it was settled or parked: checkout, payment, cancellation, fulfilment,
//! expiry, discarding.
//!
//! A pure function like [`decide`](super::decide()), run by every ledger inside its transaction, with
//! the orders and their products locked. It asks the table of [`transition`](super::transition) and
//! adds only what the table cannot say: deadlines, retries, and money that comes too late.

mod meaning;

use std::sync::Arc;

use self::meaning::{Move, meaning};
use super::changes::Changes;
use super::decide::{View, judge, limit_of, take};
use super::event::{Notice, OrderEvent};
use super::identity::Actor;
use super::ids::{PaymentRef, UserId};
use super::order::{Order, Payment, Reason, Refund, Status};
use super::purchase::Purchase;
use super::tracking::TrackingId;
use super::transition::{Cause, reachable, transition};
use crate::planted::planted;

/// What is asked of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The order.
    pub id: TrackingId,
    /// Whose it must be; none: the asker may touch anybody's.
    pub user: Option<UserId>,
    /// What to do.
    pub act: Act,
    /// Who is to be named in the audit log, where somebody is: not who minds their own.
    pub by: Option<Actor>,
}

/// What to do with an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// The buyer begins to pay, which must be known within `within_ms`.
    Checkout {
        /// How it is paid.
        payment: Payment,
        /// Milliseconds from now until the payment must be known.
        within_ms: i64,
    },
    /// The payment succeeded.
    Paid {
        /// The provider's transaction.
        reference: PaymentRef,
        /// What to do when the units are gone back already.
        late: Late,
    },
    /// The payment was refused.
    Declined {
        /// The provider's transaction.
        reference: PaymentRef,
        /// The hold lives on until it runs out, instead of ending now.
        keep_hold: bool,
    },
    /// A hold is given back; what is sold stays sold.
    Release,
    /// A hold is given back, or a sale undone.
    Cancel,
    /// It was shipped.
    Fulfil,
    /// An operator gives a parked purchase up.
    Discard,
    /// Its deadline may have passed.
    Expire,
}

/// What to do with a payment that arrives after its hold has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// Sell the units anew, under this ID, if there are any; else the money is due back.
    Reclaim(TrackingId),
    /// The money is due back.
    Refund,
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such order.
    #[error("there is no such order")]
    NotFound,
    /// It is somebody else's.
    #[error("it is somebody else's order")]
    NotYours,
    /// The hold ran out.
    #[error("the hold has expired")]
    Expired,
    /// It repeats this order, which is meant.
    #[error("it repeats order {0}")]
    Replay(TrackingId),
    /// The table does not allow it.
    #[error("an order that is {from} cannot become {to}")]
    Invalid {
        /// Where the order stands.
        from: Status,
        /// Where it should go.
        to: Status,
    },
}

impl Refusal {
    /// The states that the order may still reach in one step.
    pub fn allowed(self) -> Vec<Status> {
        match self {
            Self::Invalid { from, .. } => reachable(from),
            Self::NotFound | Self::NotYours | Self::Expired | Self::Replay(_) => Vec::new(),
        }
    }
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    /// The order as it now stands; unchanged where the command was a repetition.
    pub order: Order,
    /// The new order that honours its late payment.
    pub reclaim: Option<Order>,
    /// Whether this command did it, or an earlier one had.
    pub changed: bool,
}

/// One step of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What happened.
    pub event: OrderEvent,
    /// The order after it.
    pub order: Order,
}

/// What to write, and what to answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advance {
    /// One per command.
    pub results: Vec<Result<Advanced, Refusal>>,
    /// Everything that happened, in order.
    pub steps: Vec<Step>,
    /// New orders that honour late payments.
    pub reclaims: Vec<Arc<Order>>,
    /// Units that moved.
    pub changes: Changes,
    /// Thresholds that were crossed.
    pub notices: Vec<Notice>,
}

/// Carries `commands` out in order. `view.orders` are the locked orders they name; for late payments
/// `view` also holds what [`decide`](super::decide()) needs.
pub fn advance(mut view: View, commands: &[Command]) -> Advance {
    let mut advance = Advance::default();
    for command in commands {
        let result = advance.carry_out(&mut view, command);
        advance.results.push(result);
    }
    advance.notices = view.crossed(&advance.changes);
    advance
}

impl Advance {
    /// The orders that somebody moved who is to be named in the audit log.
    pub fn to_note<'a>(
        &'a self,
        commands: &'a [Command],
    ) -> impl Iterator<Item = (&'a Order, &'a Actor)> {
        commands.iter().zip(&self.results).filter_map(|(command, result)| {
            let advanced = result.as_ref().ok().filter(|advanced| advanced.changed)?;
            Some((&advanced.order, command.by.as_ref()?))
        })
    }

    fn carry_out(&mut self, view: &mut View, command: &Command) -> Result<Advanced, Refusal> {
        let steps = self.steps.len();
        let order = view.orders.get(&command.id).ok_or(Refusal::NotFound)?;
        let mut order = Order::clone(order);
        let owner = order.terms.as_ref().map(|terms| &terms.user_id);
        if command.user.is_some() && command.user.as_ref() != owner {
            return Err(Refusal::NotYours);
        }
        if let Some(original) = order.replay_of {
            return Err(Refusal::Replay(original));
        }
        // The new order that honours this one's late payment, if there is one.
        let reclaim = view.reclaimed.get(&order.id).cloned();
        let honoured = reclaim.as_ref().and_then(|order| Some(&order.payment.as_ref()?.reference));
        match meaning(&order, &command.act, view.now)? {
            Move::Stays => {}
            Move::To(to, by) => self.transit(view, &mut order, to, by, &command.act)?,
            Move::NotePayment(reference) => {
                order.payment = Some(Box::new(Payment::of(reference)));
                self.changed(view, &mut order, OrderEvent::Paid);
            }
            Move::Refund(reference) | Move::Reclaim(reference, _)
                if honoured == Some(&reference) => {}
            Move::Refund(reference) => self.refund(view, &mut order, reference),
            Move::Reclaim(reference, _) if reclaim.is_some() => {
                self.refund(view, &mut order, reference);
            }
            Move::Reclaim(reference, id) => {
                return Ok(self.reclaim(view, order, reference, id));
            }
        }
        Ok(Advanced { order, reclaim, changed: self.steps.len() > steps })
    }

    /// Goes along a row of the table.
    fn transit(
        &mut self,
        view: &mut View,
        order: &mut Order,
        to: Status,
        by: Cause,
        act: &Act,
    ) -> Result<(), Refusal> {
        let from = order.status;
        let row = transition(from, to, by).ok_or(Refusal::Invalid { from, to })?;
        let (capped, limited) = counted(view, order);
        if !(planted("units-kept") && by == Cause::Sweep) {
            self.changes.add(order, row.effect, capped, limited);
            view.add(order, row.effect, limited);
        }
        order.status = to;
        order.pay_by = None;
        match act {
            Act::Checkout { payment, within_ms } => {
                order.payment = Some(Box::new(payment.clone()));
                order.pay_by = Some(view.now.plus_millis(*within_ms));
            }
            Act::Paid { reference, .. } if order.payment.is_none() => {
                order.payment = Some(Box::new(Payment::of(reference.clone())));
            }
            // Another attempt to pay may follow.
            Act::Declined { .. } if to == Status::Reserved => order.payment = None,
            Act::Discard => {
                order.reason = Some(Reason::Discarded);
                order.decided_at = Some(view.now);
            }
            _ => {}
        }
        // Who had paid gets the money back.
        let paid = from == Status::Confirmed && to == Status::Cancelled;
        let due = order.payment.as_ref().filter(|_| paid).map(|payment| payment.reference.clone());
        self.changed(view, order, OrderEvent::reached(from, to));
        if let Some(reference) = due {
            self.refund(view, order, reference);
        }
        Ok(())
    }

    fn refund(&mut self, view: &mut View, order: &mut Order, reference: PaymentRef) {
        let due = Refund { due_at: view.now, references: Vec::new() };
        order.refund.get_or_insert_with(|| Box::new(due)).references.push(reference);
        self.changed(view, order, OrderEvent::RefundDue);
    }

    /// Sells the units of an ended hold anew, like any other purchase of that moment and price;
    /// where that is refused the money is due back.
    fn reclaim(
        &mut self,
        view: &mut View,
        mut ended: Order,
        reference: PaymentRef,
        id: TrackingId,
    ) -> Advanced {
        let purchase = Purchase::anew(&ended, id);
        let Some(purchase) = purchase.filter(|purchase| judge(view, purchase).is_ok()) else {
            self.refund(view, &mut ended, reference);
            return Advanced { order: ended, reclaim: None, changed: true };
        };
        let mut order = take(view, &purchase, &mut self.changes);
        let payment = ended.payment.clone().filter(|payment| payment.reference == reference);
        order.payment = payment.or_else(|| Some(Box::new(Payment::of(reference))));
        order.reclaims = Some(ended.id);
        view.reclaimed.insert(ended.id, order.clone());
        view.orders.insert(order.id, Arc::new(order.clone()));
        self.steps.push(Step { event: OrderEvent::Confirmed, order: order.clone() });
        self.reclaims.push(Arc::new(order.clone()));
        Advanced { order: ended, reclaim: Some(order), changed: true }
    }

    fn changed(&mut self, view: &mut View, order: &mut Order, event: OrderEvent) {
        order.version += 1;
        view.orders.insert(order.id, Arc::new(order.clone()));
        self.steps.push(Step { event, order: order.clone() });
    }
}

/// Whether the order's sale counts its units, and whether a limit counts its buyer's.
fn counted(view: &View, order: &Order) -> (bool, bool) {
    let Some(terms) = &order.terms else { return (false, false) };
    let sale = terms.sale_id.and_then(|id| view.sales.get(&id));
    let product = view.products.get(&terms.product_id);
    let limited = product.is_some_and(|product| limit_of(product, sale).is_some());
    (sale.is_some_and(|sale| sale.quantity.is_some()), limited)
}
