//! Admit: accept a purchase. Everything that can be refused without the ledger is refused here,
//! from memory; what remains is stamped with an ID, the price and the moment.
//!
//! user's limit here → product known → sale window → edge check → pass → mint → room in line → user's limit
//! everywhere → idempotency → publish → 202

mod quota;
mod request;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, counter};
use tracing::debug;

pub use self::quota::{Quota, UserLimits};
pub use self::request::{Admission, AdmitError, Admitted, Item, Request, Want};
use super::group_commit::{Bounds, GroupCommit, LineError};
use super::key::KeyRing;
use super::recall::{Earlier, Recall};
use crate::boards::Boards;
use crate::domain::room::Pass;
use crate::domain::{
    Fingerprint, Keyed, Kind, Product, ProductId, ProductRef, Purchase, Reason, Sale, SaleId,
    Terms, Timestamp,
};
use crate::failpoints;
use crate::planted::planted;
use crate::ports::{
    Clock, IdempotencyError, IdempotencyMap, Ledger, LedgerClock, PurchaseQueue, QueueError,
};

/// Keys in one call of the map, however small the messages are that go to the broker.
const KEYS_MAX: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

type Remembered = Result<Option<Purchase>, IdempotencyError>;

/// Accepts purchases.
#[derive(Clone)]
pub struct Admitter {
    boards: Arc<Boards>,
    keys: Arc<KeyRing>,
    clock: Arc<LedgerClock>,
    ledger: Arc<dyn Ledger>,
    queue: Arc<dyn PurchaseQueue>,
    recall: Recall,
    remembering: GroupCommit<Purchase, Remembered>,
    publishing: GroupCommit<Purchase, Result<(), QueueError>>,
    limits: UserLimits,
    timeout: Duration,
    hold_seconds: u32,
    /// By reason, in the order of their declaration.
    refusals: Arc<[Counter]>,
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
    /// An admitter that publishes in batches within `bounds`; a purchase not confirmed within
    /// `timeout` is not accepted.
    pub fn new(parts: Parts, bounds: Bounds, timeout: Duration) -> Self {
        let (queue, map) = (Arc::clone(&parts.queue), parts.idempotency);
        let keys = Bounds { batch_max: KEYS_MAX, ..bounds };
        Self {
            recall: Recall::start(Arc::clone(&map), Arc::clone(&parts.ledger), keys),
            remembering: GroupCommit::start(keys, move |batch| remember(Arc::clone(&map), batch)),
            publishing: GroupCommit::start(bounds, move |batch| publish(Arc::clone(&queue), batch)),
            boards: parts.boards,
            keys: parts.keys,
            clock: parts.clock,
            ledger: parts.ledger,
            queue: parts.queue,
            limits: parts.limits,
            timeout,
            hold_seconds: parts.hold_seconds,
            refusals: Reason::ALL.iter().map(|&reason| refusals(reason)).collect(),
        }
    }

    /// Checks and stamps a request. Nothing is published yet. `room` says whether there is a place
    /// in the line that the purchase goes to next: whoever is turned away there costs no round trip
    /// before. Who is refused by what is known here costs none either, and so does not count for the
    /// user's limit elsewhere.
    pub async fn admit(
        &self,
        request: Request,
        room: impl Fn() -> Result<(), LineError>,
    ) -> Result<Admission, AdmitError> {
        let taking = self.limits.take_here(&request).map_err(AdmitError::Limited)?;
        let refused = match self.stamp(&request).await {
            Ok(purchase) => {
                let keyed = purchase.keyed.is_some();
                if keyed || request.want == Want::Hold || !taking.is_nothing() {
                    room()?;
                }
                let taking = self.limits.take_hold_here(taking, &request);
                let taking = taking.map_err(AdmitError::Limited)?;
                let quota = self.limits.take_everywhere(taking, &request.user_id).await;
                let quota = quota.map_err(AdmitError::Limited)?;
                let admitted = if keyed {
                    self.remember(purchase).await?
                } else {
                    Admitted::Purchase(purchase)
                };
                return Ok(Admission { admitted, quota });
            }
            Err(
                refused @ (AdmitError::Refused(_)
                | AdmitError::PassRequired(_)
                | AdmitError::PassExpired(_)),
            ) => refused,
            Err(error) => return Err(error),
        };
        // A retry of something accepted earlier is answered by that, whatever holds now.
        if let Some(admitted) = self.earlier(&request).await? {
            return Ok(Admission { admitted, quota: None });
        }
        if let AdmitError::Refused(reason) = refused
            && let Some(counter) = self.refusals.get(reason as usize)
        {
            counter.increment(1);
        }
        Err(refused)
    }

    /// Whether a purchase could be published now.
    pub fn room(&self) -> Result<(), LineError> {
        self.publishing.room().map(drop)
    }

    /// Publishes an admitted purchase; `Ok` means the broker has it for good.
    pub async fn publish(&self, purchase: Purchase) -> Result<(), AdmitError> {
        failpoints::reach("admit.stamped").await;
        self.queue.writable().map_err(|error| AdmitError::Unavailable(error.to_string()))?;
        // Boxed: a timer is large, and would make every step of the request's future as large.
        let confirmed = tokio::time::timeout(self.timeout, self.publishing.submit(purchase));
        match Box::pin(confirmed).await {
            Ok(Ok(Ok(()))) => {
                failpoints::reach("admit.confirmed").await;
                counter!("doorbuster_accepted_total", "mode" => "async").increment(1);
                Ok(())
            }
            Ok(Ok(Err(QueueError::Refused(why)))) => {
                debug!(why, "the broker refused");
                Err(AdmitError::Overloaded)
            }
            Ok(Ok(Err(error))) => Err(AdmitError::Unavailable(error.to_string())),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(AdmitError::Unavailable("the broker did not confirm in time".into())),
        }
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

    /// Remembers a keyed purchase, or gives the one remembered under its key. Without the map the
    /// ledger's unique index is the backstop.
    async fn remember(&self, purchase: Purchase) -> Result<Admitted, AdmitError> {
        match self.remembering.submit(purchase.clone()).await? {
            Ok(None) => Ok(Admitted::Purchase(purchase)),
            Ok(Some(original)) => same_request(purchase.keyed.as_ref(), original.keyed.as_ref())
                .map(|()| Admitted::Purchase(original)),
            Err(error) => {
                debug!(%error, "accepting without the idempotency map");
                Ok(Admitted::Purchase(purchase))
            }
        }
    }

    /// What an earlier request under the same key came to.
    async fn earlier(&self, request: &Request) -> Result<Option<Admitted>, AdmitError> {
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
                Ok(Some(Admitted::Purchase(*original)))
            }
            Some(Earlier::Stored(order)) => {
                same_request(keyed.as_ref(), order.keyed.as_ref())?;
                Ok(Some(Admitted::Stored(order)))
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

async fn remember(map: Arc<dyn IdempotencyMap>, batch: Vec<Purchase>) -> Vec<Remembered> {
    match map.remember(&batch).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
    }
}

async fn publish(
    queue: Arc<dyn PurchaseQueue>,
    batch: Vec<Purchase>,
) -> Vec<Result<(), QueueError>> {
    let mut outcome = queue.publish(&batch).await;
    if planted("accept-without-confirm") {
        outcome = Ok(());
    }
    batch.iter().map(|_| outcome.clone()).collect()
}
