//! The decision: given what the ledger says, what becomes of each purchase of a batch?
//!
//! A pure function, run by every ledger inside its transaction. The gate is no input of it: what
//! Redis believed decides only whether a lock was worth taking, never an outcome.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::catalogue::Sale;
use super::changes::{BuyerKey, Changes, Taken};
use super::event::Notice;
use super::ids::{IdempotencyKey, ProductId, SaleId, UserId};
use super::order::{Order, Reason, Status};
use super::purchase::{Fingerprint, Kind, Purchase, Terms};
use super::stock::Counts;
use super::time::Timestamp;
use super::tracking::TrackingId;
use super::transition::Effect;
use crate::planted::planted;

/// What the ledger says of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductState {
    /// Its counts.
    pub counts: Counts,
    /// False: nothing of it is sold.
    pub active: bool,
    /// Units one user may have of it outside sales.
    pub per_user_limit: Option<u32>,
}

/// The owner of an idempotency key: the order it belongs to and what was asked for.
pub type KeyOwner = (TrackingId, Fingerprint);

/// What the ledger says, read under its locks.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The ledger's clock.
    pub now: Timestamp,
    /// The products of the batch that exist.
    pub products: HashMap<ProductId, ProductState>,
    /// The sales that the batch names.
    pub sales: HashMap<SaleId, Sale>,
    /// Units that buyers under a limit already have, held ones included.
    pub bought: HashMap<BuyerKey, u32>,
    /// Who holds units right now.
    pub holders: HashSet<(ProductId, UserId)>,
    /// Orders already there under IDs of the batch.
    pub orders: HashMap<TrackingId, Arc<Order>>,
    /// Owners of keys of the batch.
    pub keys: HashMap<(UserId, IdempotencyKey), KeyOwner>,
    /// Of orders whose late payment was honoured: the order that did.
    pub reclaimed: HashMap<TrackingId, Order>,
}

impl View {
    /// Adds what a transition of `order` does, so that the next one sees it; what its buyer has is
    /// asked for only under a limit.
    pub(super) fn add(&mut self, order: &Order, effect: Effect, limited: bool) {
        let Some(terms) = &order.terms else { return };
        let units = i64::from(terms.quantity.units());
        let (reserved, sold) = (i64::from(effect.reserved) * units, i64::from(effect.sold) * units);
        if let Some(product) = self.products.get_mut(&terms.product_id) {
            product.counts.reserved += reserved;
            product.counts.sold += sold;
        }
        if let Some(sale) = terms.sale_id.and_then(|id| self.sales.get_mut(&id)) {
            sale.taken += reserved + sold;
        }
        if !limited {
            return;
        }
        let more = u32::try_from(reserved + sold).unwrap_or_default();
        let fewer = u32::try_from(-(reserved + sold)).unwrap_or_default();
        let bought = self.bought.entry(buyer_key(terms)).or_default();
        *bought = (*bought + more).saturating_sub(fewer);
    }

    /// The thresholds that were crossed by `changes`, which this view has seen already.
    pub(super) fn crossed(&self, changes: &Changes) -> Vec<Notice> {
        let crossed = |(id, taken): (&ProductId, &Taken)| {
            let after = self.products.get(id)?.counts;
            let (reserved, sold) = (after.reserved - taken.reserved, after.sold - taken.sold);
            Notice::of_stock(*id, Counts { reserved, sold, ..after }, after)
        };
        changes.taken.iter().filter_map(crossed).collect()
    }
}

/// What became of one purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Its order as stored, now or earlier.
    Order(Arc<Order>),
    /// Its ID belongs to somebody else's order: recorded as a dead letter, answered to nobody.
    Collision,
}

/// What to write, and what to answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// One per purchase, in order of arrival.
    pub settled: Vec<Settled>,
    /// Rows to insert.
    pub inserts: Vec<Arc<Order>>,
    /// Parked rows that a replay decides; `version` is the one to store.
    pub replays: Vec<Arc<Order>>,
    /// Units that were taken.
    pub changes: Changes,
    /// Thresholds that were crossed.
    pub notices: Vec<Notice>,
}

/// Decides `batch` in order of arrival. The same ID twice is one purchase; the same (user, key)
/// again is a replay or a reuse; an order already there keeps its stored outcome.
pub fn decide(mut view: View, batch: &[Purchase]) -> Decision {
    let mut decision = Decision::default();
    for purchase in batch {
        let settled = match standing(&view, purchase) {
            Some(settled) => settled,
            None => Settled::Order(conclude(&mut view, purchase, &mut decision)),
        };
        decision.settled.push(settled);
    }
    decision.notices = view.crossed(&decision.changes);
    decision
}

/// The outcome that this ID already has, unless it is still to be decided.
fn standing(view: &View, purchase: &Purchase) -> Option<Settled> {
    let order = view.orders.get(&purchase.id)?;
    match &order.terms {
        Some(_) if planted("settle-twice") => None,
        Some(terms) if !terms.same_request(&purchase.terms) => Some(Settled::Collision),
        None if order.status == Status::Parked && purchase.replayed => None,
        _ => Some(Settled::Order(Arc::clone(order))),
    }
}

/// Decides a purchase that has no outcome yet and notes everything it changes.
fn conclude(view: &mut View, purchase: &Purchase, decision: &mut Decision) -> Arc<Order> {
    let mut order = match repeated_key(view, purchase) {
        Some(refusal) => refusal,
        None => match judge(view, purchase) {
            Ok(()) => take(view, purchase, &mut decision.changes),
            Err(reason) => purchase.rejected(reason, view.now),
        },
    };
    let parked = view.orders.get(&purchase.id);
    if let Some(parked) = parked {
        order.version = parked.version + 1;
    }
    let order = Arc::new(order);
    if planted("refusals-leave-no-row") && order.status == Status::Rejected {
        return order;
    }
    let written = if parked.is_some() { &mut decision.replays } else { &mut decision.inserts };
    written.push(Arc::clone(&order));
    if let Some(keyed) = &order.keyed {
        let owner = (purchase.terms.user_id.clone(), keyed.key.clone());
        view.keys.insert(owner, (order.id, keyed.fingerprint));
    }
    view.orders.insert(order.id, Arc::clone(&order));
    order
}

/// The refusal of a key that another order owns. Such rows store no key.
fn repeated_key(view: &View, purchase: &Purchase) -> Option<Order> {
    let keyed = purchase.keyed.as_ref().filter(|_| !planted("keys-not-kept"))?;
    let owner = (purchase.terms.user_id.clone(), keyed.key.clone());
    let &(original, fingerprint) = view.keys.get(&owner)?;
    let refusal = if fingerprint == keyed.fingerprint {
        Order { replay_of: Some(original), ..purchase.rejected(Reason::Replay, view.now) }
    } else {
        purchase.rejected(Reason::IdempotencyKeyReused, view.now)
    };
    Some(Order { keyed: None, ..refusal })
}

/// The rules, in the order in which a buyer would want to hear of them.
pub(super) fn judge(view: &View, purchase: &Purchase) -> Result<(), Reason> {
    let terms = &purchase.terms;
    let product = view.products.get(&terms.product_id).ok_or(Reason::ProductNotFound)?;
    if !product.active {
        return Err(Reason::ProductInactive);
    }
    let sale = match terms.sale_id {
        Some(id) => Some(view.sales.get(&id).ok_or(Reason::SaleCancelled)?),
        None => None,
    };
    // A sale of another product is none of this one; its row is not even under our lock.
    if sale.is_some_and(|sale| sale.product_id != terms.product_id) {
        return Err(Reason::SaleCancelled);
    }
    if let Some(reason) = sale.and_then(|sale| sale.refusal(purchase.accepted_at)) {
        return Err(reason);
    }
    let units = i64::from(terms.quantity.units());
    let holds = view.holders.contains(&(terms.product_id, terms.user_id.clone()));
    if holds && purchase.kind != Kind::Buy {
        return Err(Reason::AlreadyReserved);
    }
    if let Some(limit) = limit_of(product, sale) {
        let has = view.bought.get(&buyer_key(terms)).copied().unwrap_or_default();
        // Whoever waits in line again for a second purchase keeps others from their first.
        if has > 0 && sale.is_some_and(|sale| sale.waiting_room.is_some()) {
            return Err(if holds { Reason::AlreadyReserved } else { Reason::AlreadyPurchased });
        }
        if i64::from(has) + units > i64::from(limit) {
            return Err(match (limit, has) {
                (1, 1..) if holds => Reason::AlreadyReserved,
                (1, 1..) => Reason::AlreadyPurchased,
                _ => Reason::LimitReached,
            });
        }
    }
    let sale_left = sale.and_then(|sale| Some(sale.quantity? - sale.taken)).unwrap_or(i64::MAX);
    if product.counts.available().min(sale_left) < units {
        return Err(Reason::OutOfStock);
    }
    Ok(())
}

/// Takes the units of a purchase that passed every rule.
pub(super) fn take(view: &mut View, purchase: &Purchase, changes: &mut Changes) -> Order {
    let terms = &purchase.terms;
    let sale = terms.sale_id.and_then(|id| view.sales.get(&id));
    let Some(product) = view.products.get(&terms.product_id) else {
        return purchase.rejected(Reason::ProductNotFound, view.now);
    };
    let limited = limit_of(product, sale).is_some();
    let capped = sale.is_some_and(|sale| sale.quantity.is_some());
    let (order, effect) = match purchase.kind {
        Kind::Buy => {
            let order = purchase.decided(Status::Confirmed, view.now);
            (order, Effect { reserved: 0, sold: 1 })
        }
        Kind::Hold { seconds } => {
            view.holders.insert((terms.product_id, terms.user_id.clone()));
            let expires_at = Some(view.now.plus_millis(i64::from(seconds) * 1_000));
            let order = Order { expires_at, ..purchase.decided(Status::Reserved, view.now) };
            (order, Effect { reserved: 1, sold: 0 })
        }
    };
    changes.add(&order, effect, capped, limited);
    view.add(&order, effect, limited);
    order
}

/// A sale's limit counts inside it, the product's outside sales.
pub(super) fn limit_of(product: &ProductState, sale: Option<&Sale>) -> Option<u32> {
    sale.map_or(product.per_user_limit, |sale| sale.per_user_limit)
}

fn buyer_key(terms: &Terms) -> BuyerKey {
    (terms.product_id, terms.sale_id, terms.user_id.clone())
}
