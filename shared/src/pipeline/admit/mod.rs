//! Admit: accept a purchase. Everything that can be refused without the ledger is refused here,
//! from memory; what remains is stamped with an ID, the price and the moment.
//!
//! user's limit here → product known → sale window → edge check → pass → mint → room in line → a round with
//! all others who are in line: user's limit everywhere → idempotency → publish → 202
//!
//! | file | what |
//! |---|---|
//! | `mod` | what one request meets |
//! | `round` | what many of them do together |
//! | `quota` | limits per user |
//! | `request` | what clients ask for, and what they get |

mod quota;
mod request;
mod round;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, counter};
use tracing::debug;

use self::quota::Taking;
pub use self::quota::{Quota, UserLimits};
pub use self::request::{Admission, AdmitError, Admitted, Item, Request, Want};
use self::round::{Candidate, Passed, Rounds};
use super::group_commit::{Bounds, GroupCommit, LineError};
use super::key::KeyRing;
use super::recall::{Earlier, Recall};
use crate::boards::Boards;
use crate::domain::room::Pass;
use crate::domain::{
    Fingerprint, Keyed, Kind, Order, Product, ProductId, ProductRef, Purchase, Reason, Sale,
    SaleId, Terms, Timestamp,
};
use crate::failpoints;
use crate::ports::{Clock, IdempotencyMap, Ledger, LedgerClock, PurchaseQueue};

/// Users and keys in one call, however small the messages are that go to the broker.
const CALL_MAX: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// Accepts purchases.
#[derive(Clone)]
pub struct Admitter {
    boards: Arc<Boards>,
    keys: Arc<KeyRing>,
    clock: Arc<LedgerClock>,
    ledger: Arc<dyn Ledger>,
    queue: Arc<dyn PurchaseQueue>,
    recall: Recall,
    accepting: GroupCommit<Candidate, Passed>,
    clearing: GroupCommit<Candidate, Passed>,
    limits: UserLimits,
    timeout: Duration,
    hold_seconds: u32,
    /// By reason, in the order of their declaration.
    refusals: Arc<[Counter]>,
    accepted: Counter,
}

/// What becomes of a request by what is known here.
#[allow(clippy::large_enum_variant)] // Nearly all are the large one, and it is taken apart at once.
enum Checked {
    /// It goes on.
    Candidate(Candidate),
    /// A retry of an order that the ledger already has.
    Stored(Arc<Order>),
}

/// What an admitter works with.
pub struct Parts {
    /// Catalogue and stock in memory.
    pub boards: Arc<Boards>,
    /// Issues tracking IDs.
    pub keys: Arc<KeyRing>,
    /// The ledger's time.
    pub clock: Arc<LedgerClock>,
    /// Asked about products and keys that memory does not know.
    pub ledger: Arc<dyn Ledger>,
    /// Takes what was accepted.
    pub queue: Arc<dyn PurchaseQueue>,
    /// Remembers keyed purchases.
    pub idempotency: Arc<dyn IdempotencyMap>,
    /// How much one user may ask for.
    pub limits: UserLimits,
    /// Length of a hold where the sale does not say.
    pub hold_seconds: u32,
}

impl Admitter {
    /// An admitter whose rounds are within `bounds`; a purchase not confirmed within `timeout` is not accepted.
    pub fn new(parts: Parts, bounds: Bounds, timeout: Duration) -> Self {
        let calls = Bounds { batch_max: CALL_MAX, ..bounds };
        let recall =
            Recall::start(Arc::clone(&parts.idempotency), Arc::clone(&parts.ledger), calls);
        let accept = Rounds {
            limits: parts.limits.clone(),
            map: parts.idempotency,
            queue: Arc::clone(&parts.queue),
        };
        let clear = accept.clone();
        Self {
            recall,
            accepting: GroupCommit::start(bounds, move |batch| accept.clone().accept(batch)),
            clearing: GroupCommit::start(calls, move |batch| clear.clone().clear(batch)),
            boards: parts.boards,
            keys: parts.keys,
            clock: parts.clock,
            ledger: parts.ledger,
            queue: parts.queue,
            limits: parts.limits,
            timeout,
            hold_seconds: parts.hold_seconds,
            refusals: Reason::ALL.iter().map(|&reason| refusals(reason)).collect(),
            accepted: counter!("doorbuster_accepted_total", "mode" => "async"),
        }
    }

    /// Accepts a request for the queue: a `Purchase` is with the broker for good.
    pub async fn accept(&self, request: Request) -> Result<Admission, AdmitError> {
        let candidate = match self.check(request, || self.room()).await? {
            Checked::Candidate(candidate) => candidate,
            Checked::Stored(order) => return Ok(Admission::stored(order)),
        };
        // Boxed: a timer is large, and would make every step of the request's future as large.
        let accepted = tokio::time::timeout(self.timeout, self.accepting.submit(candidate));
        let late = |_| AdmitError::Unavailable("the broker did not confirm in time".into());
        let (purchase, quota) = Box::pin(accepted).await.map_err(late)???;
        failpoints::reach("admit.confirmed").await;
        self.accepted.increment(1);
        Ok(Admission { admitted: Admitted::Purchase(purchase), quota })
    }

    /// Whether a purchase could be accepted for the queue now.
    fn room(&self) -> Result<(), AdmitError> {
        self.queue.writable().map_err(|error| AdmitError::Unavailable(error.to_string()))?;
        Ok(self.accepting.room().map(drop)?)
    }

    /// Admits a request that its caller settles, which is not published: `room` says whether there is a place in
    /// the line that it goes to next.
    pub async fn admit(
        &self,
        request: Request,
        room: impl Fn() -> Result<(), LineError>,
    ) -> Result<Admission, AdmitError> {
        let candidate = match self.check(request, || Ok(room()?)).await? {
            Checked::Candidate(candidate) => candidate,
            Checked::Stored(order) => return Ok(Admission::stored(order)),
        };
        let (purchase, quota) = if candidate.needs_nobody() {
            (candidate.purchase, None)
        } else {
            self.clearing.submit(candidate).await??
        };
        Ok(Admission { admitted: Admitted::Purchase(purchase), quota })
    }

    /// Checks and stamps a request. Whoever is turned away for want of `room` costs no round trip before. Who is
    /// refused by what is known here costs none either, and so does not count for the user's limit elsewhere.
    async fn check(
        &self,
        request: Request,
        room: impl Fn() -> Result<(), AdmitError>,
    ) -> Result<Checked, AdmitError> {
        let taking = self.limits.take_here(&request).map_err(AdmitError::Limited)?;
        let refused = match self.stamp(&request).await {
            Ok(purchase) => {
                room()?;
                let taking = self.limits.take_hold_here(taking, &request);
                let taking = taking.map_err(AdmitError::Limited)?;
                return Ok(Checked::Candidate(Candidate { purchase, taking }));
            }
            Err(
                refused @ (AdmitError::Refused(_)
                | AdmitError::PassRequired(_)
                | AdmitError::PassExpired(_)),
            ) => refused,
            Err(error) => return Err(error),
        };
        // A retry of something accepted earlier is answered by that, whatever holds now.
        if let Some(earlier) = self.earlier(&request).await? {
            return Ok(earlier);
        }
        if let AdmitError::Refused(reason) = refused
            && let Some(counter) = self.refusals.get(reason as usize)
        {
            counter.increment(1);
        }
        Err(refused)
    }

    /// The product a request names; one that is not in the catalogue is looked up before it is
    /// refused, since it may have just been added.
    pub async fn product(&self, product: &ProductRef) -> Result<Arc<Product>, AdmitError> {
        if let Some(found) = self.boards.catalogue.current().and_then(|c| c.find(product).cloned())
        {
            return Ok(found);
        }
        // With the ledger away an unknown product stays unknown: what is sold was loaded before.
        if let Err(error) = self.boards.catalogue.look_again(&*self.ledger).await {
            if self.boards.catalogue.current().is_none() {
                return Err(AdmitError::Unavailable(error.to_string()));
            }
            debug!(%error, "an unknown product could not be looked up");
        }
        let catalogue = self.boards.catalogue.current();
        catalogue
            .and_then(|catalogue| catalogue.find(product).cloned())
            .ok_or(AdmitError::Refused(Reason::ProductNotFound))
    }

    /// The product a request is for, and its sale where that is what it names.
    async fn item(&self, item: &Item) -> Result<(Arc<Product>, Option<Sale>), AdmitError> {
        let id = match item {
            Item::Product(product) => return Ok((self.product(product).await?, None)),
            Item::Sale(id) => *id,
        };
        let find = || self.boards.catalogue.current()?.sale(id).cloned();
        if find().is_none()
            && let Err(error) = self.boards.catalogue.look_again(&*self.ledger).await
        {
            debug!(%error, "an unknown sale could not be looked up");
        }
        let sale = find().ok_or(AdmitError::NoSuchSale)?;
        Ok((self.product(&ProductRef::Id(sale.product_id)).await?, Some(sale)))
    }

    async fn stamp(&self, request: &Request) -> Result<Purchase, AdmitError> {
        let Some(minter) = self.keys.minter() else {
            return Err(AdmitError::Unavailable("the tracking key is not loaded yet".into()));
        };
        let (product, named_sale) = self.item(&request.item).await?;
        let Some(catalogue) = self.boards.catalogue.current() else {
            return Err(AdmitError::Unavailable("the catalogue is not loaded yet".into()));
        };
        let now = self.clock.now();
        if let Some(reason) = named_sale.as_ref().and_then(|sale| sale.refusal(now)) {
            return Err(AdmitError::Refused(reason));
        }
        let offer = catalogue.offer(&product, now).map_err(AdmitError::Refused)?;
        let sale_id = offer.sale.map(|sale| sale.id);
        let kind = match request.want {
            Want::Buy => Kind::Buy,
            Want::Hold => {
                let seconds = offer.sale.and_then(|sale| sale.hold_seconds);
                Kind::Hold { seconds: seconds.unwrap_or(self.hold_seconds) }
            }
        };
        if self.boards.stock.is_short(product.id, sale_id, request.quantity.units()) {
            return Err(AdmitError::Refused(Reason::OutOfStock));
        }
        if let Some(sale) = offer.sale.filter(|sale| sale.waiting_room.is_some()) {
            self.check_pass(request, sale.id, now)?;
        }
        Ok(Purchase {
            id: minter.mint(now),
            terms: Terms {
                product_id: product.id,
                sale_id,
                user_id: request.user_id.clone(),
                quantity: request.quantity,
                unit_price: offer.unit_price,
            },
            kind,
            accepted_at: now,
            keyed: request
                .key
                .clone()
                .map(|key| Keyed { key, fingerprint: fingerprint(request, product.id) }),
            traceparent: request.traceparent.clone(),
            replayed: false,
        })
    }

    /// Of a sale with a waiting room only those buy who were let in.
    fn check_pass(
        &self,
        request: &Request,
        sale: SaleId,
        now: Timestamp,
    ) -> Result<(), AdmitError> {
        let pass = request.pass.as_deref().zip(self.keys.seal());
        let pass = pass.and_then(|(text, seal)| seal.open_pass(text).ok());
        let own = |pass: &Pass| pass.sale_id == sale && pass.user_id == request.user_id;
        match pass.filter(own) {
            None => Err(AdmitError::PassRequired(sale)),
            Some(pass) if pass.expires_at <= now => Err(AdmitError::PassExpired(sale)),
            Some(_) => Ok(()),
        }
    }

    /// What an earlier request under the same key came to.
    async fn earlier(&self, request: &Request) -> Result<Option<Checked>, AdmitError> {
        let Some(key) = &request.key else { return Ok(None) };
        let product = self.item(&request.item).await.map(|(product, _)| product.id);
        let keyed = product.ok().map(|product_id| Keyed {
            key: key.clone(),
            fingerprint: fingerprint(request, product_id),
        });
        // Without an answer this is no moment for a refusal: the key may be a winner's.
        match self.recall.earlier((request.user_id.clone(), key.clone())).await?? {
            Some(Earlier::Stamped(original)) => {
                same_request(keyed.as_ref(), original.keyed.as_ref())?;
                let taking = Taking::default();
                Ok(Some(Checked::Candidate(Candidate { purchase: *original, taking })))
            }
            Some(Earlier::Stored(order)) => {
                same_request(keyed.as_ref(), order.keyed.as_ref())?;
                Ok(Some(Checked::Stored(order)))
            }
            None => Ok(None),
        }
    }
}

fn refusals(reason: Reason) -> Counter {
    counter!("doorbuster_edge_refusals_total", "reason" => reason.as_str())
}

fn fingerprint(request: &Request, product_id: ProductId) -> Fingerprint {
    Fingerprint::of(product_id, request.quantity, request.want == Want::Hold)
}

fn same_request(ours: Option<&Keyed>, theirs: Option<&Keyed>) -> Result<(), AdmitError> {
    let same = matches!((ours, theirs), (Some(a), Some(b)) if a.fingerprint == b.fingerprint);
    if same { Ok(()) } else { Err(AdmitError::Refused(Reason::IdempotencyKeyReused)) }
}
