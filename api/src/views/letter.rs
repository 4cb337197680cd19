//! Dead letters as operators are shown them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use shared::domain::{
    Currency, IdempotencyKey, Kind, ProductId, Purchase, Quantity, Reason, SaleId, Status,
    TrackingId, UserId, envelope,
};
use shared::pipeline::dead_letters::Outcome;
use shared::ports::{Announcement, KeptLetter, LetterId, LetterMoved};
use utoipa::ToSchema;

use super::schema;
use super::text::{Decimal, Moment};
use crate::problem::Problem;

/// A message that could not be processed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterView {
    /// Its number.
    #[schema(example = 7)]
    id: i64,
    /// Its order; null where it has none of its own: not decoded, not issued by us, or somebody else's ID.
    #[schema(value_type = Option<uuid::Uuid>)]
    order_id: Option<TrackingId>,
    /// The same ID.
    #[schema(value_type = Option<uuid::Uuid>)]
    tracking_id: Option<TrackingId>,
    /// Where the order stands now: `PARKED`, or what replaying or discarding made of it.
    #[schema(schema_with = schema::status_or_null)]
    status: Option<Status>,
    /// Why the order was refused.
    #[schema(schema_with = schema::reason)]
    reason: Option<Reason>,
    /// Whether it waits for an operator.
    open: bool,
    /// Why it could not be processed.
    #[schema(example = "ledger refused a purchase: value out of range")]
    error: String,
    /// Attempts to settle it on its own.
    #[schema(example = 3)]
    attempts: u32,
    /// Since when it is kept.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    at: Moment,
    /// When it was last replayed; null where it has failed again since.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    replayed_at: Option<Moment>,
    /// When it was dealt with.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    closed_at: Option<Moment>,
    /// What it asks for, as far as it can be decoded; of a message longer than 64 KiB only when it is
    /// shown on its own.
    purchases: Vec<LetterPurchase>,
    /// Length of the message.
    #[schema(example = 311)]
    bytes: usize,
    /// The message in Base64, when it is shown on its own; null in lists.
    body: Option<String>,
}

/// A purchase in a dead letter, as it says of itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LetterPurchase {
    #[schema(value_type = uuid::Uuid)]
    order_id: TrackingId,
    #[schema(value_type = i64)]
    product_id: ProductId,
    #[schema(value_type = Option<i64>)]
    flash_sale_id: Option<SaleId>,
    #[schema(value_type = String, example = "u-1")]
    user_id: UserId,
    #[schema(value_type = u32, minimum = 1)]
    quantity: Quantity,
    #[schema(value_type = String, example = "999.99")]
    unit_price: Decimal,
    #[schema(value_type = String, example = "USD")]
    currency: Currency,
    /// Length of the hold; null where it buys at once.
    hold_seconds: Option<u32>,
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    accepted_at: Moment,
    #[schema(value_type = Option<String>)]
    idempotency_key: Option<IdempotencyKey>,
}

impl From<Purchase> for LetterPurchase {
    fn from(purchase: Purchase) -> Self {
        let terms = purchase.terms;
        Self {
            order_id: purchase.id,
            product_id: terms.product_id,
            flash_sale_id: terms.sale_id,
            user_id: terms.user_id,
            quantity: terms.quantity,
            unit_price: Decimal(terms.unit_price),
            currency: terms.unit_price.currency,
            hold_seconds: match purchase.kind {
                Kind::Buy => None,
                Kind::Hold { seconds } => Some(seconds),
            },
            accepted_at: Moment(purchase.accepted_at),
            idempotency_key: purchase.keyed.map(|keyed| keyed.key),
        }
    }
}

impl DeadLetterView {
    /// As a list shows it.
    pub fn listed(kept: &KeptLetter) -> Self {
        let purchases = envelope::purchases_in(&kept.letter.body);
        Self {
            id: kept.id.0,
            order_id: kept.letter.order_id,
            tracking_id: kept.letter.order_id,
            status: kept.order.as_ref().map(|order| order.status),
            reason: kept.order.as_ref().and_then(|order| order.reason),
            open: kept.is_open(),
            error: kept.letter.error.clone(),
            attempts: kept.attempts,
            at: Moment(kept.at),
            replayed_at: kept.replayed_at.map(Moment),
            closed_at: kept.closed_at.map(Moment),
            purchases: purchases.into_iter().map(LetterPurchase::from).collect(),
            bytes: kept.bytes,
            body: None,
        }
    }

    /// On its own, with its bytes.
    pub fn shown(kept: &KeptLetter) -> Self {
        Self { body: Some(STANDARD.encode(&kept.letter.body)), ..Self::listed(kept) }
    }
}

/// A page of dead letters, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterList {
    /// The letters.
    pub dead_letters: Vec<DeadLetterView>,
    /// `after` of the next page; null on the last.
    pub next: Option<i64>,
}

impl DeadLetterList {
    /// A page of at most `limit` of these letters, which are one more where there is a next page.
    pub fn new(mut found: Vec<KeptLetter>, limit: usize) -> Self {
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|letter| letter.id.0);
        Self { dead_letters: found.iter().map(DeadLetterView::listed).collect(), next }
    }
}

/// What became of a dead letter.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterMoved {
    /// False: there was nothing left to do.
    changed: bool,
    /// The letter.
    dead_letter: DeadLetterView,
}

impl From<&LetterMoved> for DeadLetterMoved {
    fn from(moved: &LetterMoved) -> Self {
        let dead_letter = DeadLetterView::listed(&moved.letter);
        Self { changed: moved.changed, dead_letter }
    }
}

/// What became of many dead letters.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLettersMoved {
    /// Letters that were replayed or discarded.
    pub changed: usize,
    /// Letters with which there was nothing left to do.
    pub unchanged: usize,
    /// Letters that were left as they are.
    pub refused: Vec<RefusedLetter>,
    /// Where the time was up before all were dealt with: `after` of the next request.
    pub next: Option<i64>,
}

/// A dead letter that was left as it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedLetter {
    /// As it was named.
    id: String,
    /// Why, for programs.
    #[schema(value_type = String, example = "NOT_REPLAYABLE")]
    code: &'static str,
    /// Why, for people.
    detail: String,
}

impl std::fmt::Display for RefusedLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.id, self.detail)
    }
}

impl DeadLettersMoved {
    /// Counts one; gives back what is owed for it.
    pub fn add(&mut self, (letter, outcome): Outcome) -> Option<Announcement> {
        match outcome {
            Ok(moved) => {
                *(if moved.changed { &mut self.changed } else { &mut self.unchanged }) += 1;
                moved.announcement
            }
            Err(error) => {
                let (id, detail) = (letter.to_string(), error.to_string());
                self.refused.push(RefusedLetter {
                    id,
                    code: Problem::from(error).kind().code,
                    detail,
                });
                None
            }
        }
    }

    /// The same, with where to go on.
    #[must_use]
    pub fn until(self, next: Option<LetterId>) -> Self {
        Self { next: next.map(|letter| letter.0), ..self }
    }
}
