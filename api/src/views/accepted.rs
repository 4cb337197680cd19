//! The answer to an accepted purchase.

use serde::Serialize;
use shared::domain::{ProductId, Quantity, Status, Terms, Timestamp, TrackingId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::json::Object;
use super::schema;
use super::text::{Moment, PurchasePath};

/// Room for a body with a buyer's name of usual length.
const BYTES_USUAL: usize = 512;

/// A purchase that was accepted: the broker has it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// Always true.
    pub accepted: bool,
    /// Names the purchase from now on; its order ID and reservation ID too.
    #[schema(value_type = uuid::Uuid, example = "019a9d2e-3c00-8000-8000-9f0c6a1b2c3d")]
    pub tracking_id: TrackingId,
    /// `QUEUED`; for a retry of a purchase that is settled, where it stands.
    #[schema(schema_with = schema::status)]
    pub status: Status,
    /// The product.
    #[schema(value_type = Option<i64>, minimum = 1, example = 1)]
    pub product_id: Option<ProductId>,
    /// Units.
    #[schema(value_type = Option<u32>, minimum = 1, example = 1)]
    pub quantity: Option<Quantity>,
    /// The buyer, always as a string.
    #[schema(value_type = Option<String>, example = "u-1")]
    pub user_id: Option<UserId>,
    /// For people.
    #[schema(example = "Your purchase is in the queue.")]
    pub message: &'static str,
    /// The price and the rules of this moment hold.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    pub accepted_at: Moment,
    /// Where to look next.
    pub links: Links,
}

/// Where to look for a purchase.
#[derive(Debug, Serialize, ToSchema)]
pub struct Links {
    /// Its state.
    #[serde(rename = "self")]
    #[schema(value_type = String, example = "/api/v1/purchases/019a9d2e-3c00-8000-8000-9f0c6a1b2c3d")]
    this: PurchasePath,
    /// Its state as a stream of events.
    #[schema(value_type = String)]
    events: PurchasePath,
}

impl Accepted {
    /// The answer for a purchase of these terms.
    pub fn new(id: TrackingId, status: Status, terms: Option<&Terms>, at: Timestamp) -> Self {
        let message = match status {
            Status::Queued => "Your purchase is in the queue.",
            Status::Parked => "Your purchase needs a closer look. Support is on it.",
            _ => "Your purchase was already settled. See its status.",
        };
        Self {
            accepted: true,
            tracking_id: id,
            status,
            product_id: terms.map(|terms| terms.product_id),
            quantity: terms.map(|terms| terms.quantity),
            user_id: terms.map(|terms| terms.user_id.clone()),
            message,
            accepted_at: Moment(at),
            links: Links { this: PurchasePath::state(id), events: PurchasePath::events(id) },
        }
    }

    /// The body as serde would write it.
    pub fn to_json(&self) -> Vec<u8> {
        let mut id = Uuid::encode_buffer();
        Object::of(BYTES_USUAL)
            .flag("accepted", self.accepted)
            .word("trackingId", self.tracking_id.0.as_hyphenated().encode_lower(&mut id))
            .word("status", self.status.as_str())
            .value("productId", &self.product_id)
            .value("quantity", &self.quantity)
            .value("userId", &self.user_id)
            .word("message", self.message)
            .plain("acceptedAt", self.accepted_at.0)
            .object("links", |links| {
                links
                    .word("self", self.links.this.as_str())
                    .word("events", self.links.events.as_str())
            })
            .end()
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::testing::{id, purchase};

    use super::*;

    #[test]
    fn the_body_is_what_serde_would_write() {
        let at = Timestamp::from_millis(1_700_000_000_007);
        for user in ["u-1", "a \"quoted\" \\ name", "Zoë 7 \u{2028}"] {
            let terms = purchase(1, user, 3).terms;
            for (status, terms) in [
                (Status::Queued, Some(&terms)),
                (Status::Parked, None),
                (Status::Confirmed, Some(&terms)),
            ] {
                let accepted = Accepted::new(id(7), status, terms, at);
                let written = String::from_utf8(accepted.to_json()).unwrap();
                assert_eq!(written, serde_json::to_string(&accepted).unwrap());
            }
        }
    }
}
