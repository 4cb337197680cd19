//! The decision: given what the ledger says, what becomes of each purchase of a batch?
//!
//! A pure function, run by every ledger inside its transaction. The gate is no input of it: what
//! Redis believed decides only whether a lock was worth taking, never an outcome.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::catalogue::Sale;
use super::ids::{IdempotencyKey, ProductId, SaleId, UserId};
use super::order::{Order, Reason, Status};
use super::purchase::{Fingerprint, Kind, Purchase, Terms};
use super::stock::Counts;
use super::time::Timestamp;
use super::tracking::TrackingId;

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

/// Whose units a limit counts: those of one user in one sale, or outside sales.
pub type BuyerKey = (ProductId, Option<SaleId>, UserId);

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
    pub orders: HashMap<TrackingId, Order>,
    /// Owners of keys of the batch.
    pub keys: HashMap<(UserId, IdempotencyKey), KeyOwner>,
}

/// What became of one purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Its order as stored, now or earlier.
    Order(Order),
    /// Its ID belongs to somebody else's order: recorded as a dead letter, answered to nobody.
    Collision,
}

/// Units to add to `reserved` and `sold` of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Units now held.
    pub reserved: i64,
    /// Units now sold.
    pub sold: i64,
}

/// What to write, and what to answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// One per purchase, in order of arrival.
    pub settled: Vec<Settled>,
    /// Rows to insert.
    pub inserts: Vec<Order>,
    /// Parked rows that a replay decides; `version` is the one to store.
    pub replays: Vec<Order>,
    /// Inventory changes, by product.
    pub taken: BTreeMap<ProductId, Taken>,
    /// Units to add to sales that have a quantity.
    pub sales: BTreeMap<SaleId, i64>,
    /// Units to add to buyers under a limit.
    pub bought: BTreeMap<BuyerKey, u32>,
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
    decision
}

/// The outcome that this ID already has, unless it is still to be decided.
fn standing(view: &View, purchase: &Purchase) -> Option<Settled> {
    let order = view.orders.get(&purchase.id)?;
    match &order.terms {
        Some(terms) if !terms.same_request(&purchase.terms) => Some(Settled::Collision),
        None if order.status == Status::Parked && purchase.replayed => None,
        _ => Some(Settled::Order(order.clone())),
    }
}

/// Decides a purchase that has no outcome yet and notes everything it changes.
fn conclude(view: &mut View, purchase: &Purchase, decision: &mut Decision) -> Order {
    let mut order = match repeated_key(view, purchase) {
        Some(refusal) => refusal,
        None => match judge(view, purchase) {
            Ok(()) => take(view, purchase, decision),
            Err(reason) => purchase.rejected(reason, view.now),
        },
    };
    if let Some(parked) = view.orders.get(&purchase.id) {
        order.version = parked.version + 1;
        decision.replays.push(order.clone());
    } else {
        decision.inserts.push(order.clone());
    }
    if let Some(keyed) = &order.keyed {
        let owner = (purchase.terms.user_id.clone(), keyed.key.clone());
        view.keys.insert(owner, (order.id, keyed.fingerprint));
    }
    view.orders.insert(order.id, order.clone());
    order
}

/// The refusal of a key that another order owns. Such rows store no key.
fn repeated_key(view: &View, purchase: &Purchase) -> Option<Order> {
    let keyed = purchase.keyed.as_ref()?;
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
fn judge(view: &View, purchase: &Purchase) -> Result<(), Reason> {
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
fn take(view: &mut View, purchase: &Purchase, decision: &mut Decision) -> Order {
    let terms = &purchase.terms;
    let units = i64::from(terms.quantity.units());
    let sale = terms.sale_id.and_then(|id| view.sales.get_mut(&id));
    let Some(product) = view.products.get_mut(&terms.product_id) else {
        return purchase.rejected(Reason::ProductNotFound, view.now);
    };
    if limit_of(product, sale.as_deref()).is_some() {
        *view.bought.entry(buyer_key(terms)).or_default() += terms.quantity.units();
        *decision.bought.entry(buyer_key(terms)).or_default() += terms.quantity.units();
    }
    if let Some(sale) = sale.filter(|sale| sale.quantity.is_some()) {
        sale.taken += units;
        *decision.sales.entry(sale.id).or_default() += units;
    }
    let taken = decision.taken.entry(terms.product_id).or_default();
    match purchase.kind {
        Kind::Buy => {
            product.counts.sold += units;
            taken.sold += units;
            purchase.decided(Status::Confirmed, view.now)
        }
        Kind::Hold { seconds } => {
            product.counts.reserved += units;
            taken.reserved += units;
            view.holders.insert((terms.product_id, terms.user_id.clone()));
            let expires_at = view.now.plus_millis(i64::from(seconds) * 1_000);
            Order { expires_at: Some(expires_at), ..purchase.decided(Status::Reserved, view.now) }
        }
    }
}

/// A sale's limit counts inside it, the product's outside sales.
fn limit_of(product: &ProductState, sale: Option<&Sale>) -> Option<u32> {
    sale.map_or(product.per_user_limit, |sale| sale.per_user_limit)
}

fn buyer_key(terms: &Terms) -> BuyerKey {
    (terms.product_id, terms.sale_id, terms.user_id.clone())
}
