//! What the shop's answers mean for a buyer.

use std::borrow::Cow;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::client::Answer;
use crate::shop::problem::code;
use crate::stampede::holds::intent::Intent;
use crate::stampede::holds::reservation::{Reservation, Term};

/// What became of a purchase, or of the request to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The buyer has the goods; decided at this moment of the server's clock.
    Confirmed,
    /// They are put aside for the buyer; `None` if no deadline is given.
    Held(Option<Term>),
    /// The buyer does not get them, for this reason.
    Refused(String),
    /// An operator has to look at it.
    Parked,
    /// Not known yet.
    Undecided,
}

/// The end of a buyer's first request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) buyer: u64,
    /// The purchase's tracking ID, which is the hold's ID too; nil for a refusal without one.
    pub(crate) id: Uuid,
    pub(crate) fate: Fate,
    /// When it was first sent.
    pub(crate) sent: Instant,
    pub(crate) decided_at: Option<DateTime<Utc>>,
}

/// A purchase as `GET /api/v1/purchases/{id}`, the query and a synchronous answer show it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Purchase<'a> {
    pub(crate) tracking_id: Uuid,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    accepted_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(crate) decided_at: Option<DateTime<Utc>>,
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
}

impl Purchase<'_> {
    /// What became of it.
    pub(crate) fn fate(&self) -> Fate {
        match &*self.status {
            "CONFIRMED" | "FULFILLED" => Fate::Confirmed,
            "RESERVED" => {
                Fate::Held(Term::new(self.decided_at.or(self.accepted_at), self.expires_at))
            }
            "PARKED" => Fate::Parked,
            refused @ ("REJECTED" | "EXPIRED" | "CANCELLED" | "FAILED") => {
                Fate::Refused(self.reason.clone().unwrap_or_else(|| refused.to_owned()))
            }
            _ => Fate::Undecided,
        }
    }

    /// False if this is somebody else's purchase.
    pub(crate) fn is_of(&self, user_id: &str) -> bool {
        self.user_id.as_deref().is_none_or(|shown| shown == user_id)
    }

    /// From acceptance to decision by the server's clocks, in microseconds.
    pub(crate) fn settle_us(&self) -> Option<u64> {
        let took = self.decided_at? - self.accepted_at?;
        Some(took.num_microseconds()?.max(0) as u64)
    }
}

/// The answer to a request to buy or to hold.
#[derive(Debug)]
pub(crate) enum Reply {
    /// 202: to be followed under this ID.
    Accepted(Uuid),
    /// The outcome.
    Decided { fate: Fate, id: Uuid, decided_at: Option<DateTime<Utc>>, somebody_elses: bool },
    /// An answer that a correct request never gets.
    Wrong(String),
}

impl Reply {
    /// Reads the answer that the buyer `user_id` got; 429 and 5xx are none.
    pub(crate) fn read(answer: &Answer<'_>, user_id: &str, intent: Intent) -> Self {
        match answer.status {
            200 | 201 if intent.holds() => serde_json::from_slice::<Reservation<'_>>(answer.body)
                .map_or_else(
                    |_| unreadable(answer),
                    |hold| {
                        let is_of = hold.user_id.as_deref().is_none_or(|shown| shown == user_id);
                        Self::decided(hold.fate(), hold.id, None, !is_of)
                    },
                ),
            200 | 201 => serde_json::from_slice::<Purchase<'_>>(answer.body).map_or_else(
                |_| unreadable(answer),
                |purchase| {
                    let somebody_elses = !purchase.is_of(user_id);
                    let (id, decided_at) = (purchase.tracking_id, purchase.decided_at);
                    Self::decided(purchase.fate(), id, decided_at, somebody_elses)
                },
            ),
            202 => match serde_json::from_slice::<Accepted>(answer.body) {
                Ok(accepted) => Self::Accepted(accepted.tracking_id),
                Err(_) => unreadable(answer),
            },
            409 => Self::decided(Fate::Refused(code(answer)), Uuid::nil(), None, false),
            _ => Self::Wrong(code(answer)),
        }
    }

    fn decided(
        fate: Fate,
        id: Uuid,
        decided_at: Option<DateTime<Utc>>,
        somebody_elses: bool,
    ) -> Self {
        match fate {
            Fate::Undecided => Self::Accepted(id),
            fate => Self::Decided { fate, id, decided_at, somebody_elses },
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    tracking_id: Uuid,
}

fn unreadable(answer: &Answer<'_>) -> Reply {
    Reply::Wrong(format!("UNREADABLE_{}", answer.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply::read(
            &Answer { status, retry_after_s: None, body: body.as_bytes() },
            "u-1",
            Intent::Buy,
        )
    }

    fn purchase(status: &str) -> String {
        let id = Uuid::from_u128(7);
        format!(r#"{{"trackingId":"{id}","status":"{status}","userId":"u-1","reason":null}}"#)
    }

    #[test]
    fn every_status_of_the_state_machine_has_a_meaning() {
        let fate = |status: &str| {
            serde_json::from_str::<Purchase<'_>>(&purchase(status)).map(|read| read.fate()).unwrap()
        };
        assert_eq!(fate("CONFIRMED"), Fate::Confirmed);
        assert_eq!(fate("FULFILLED"), Fate::Confirmed);
        assert_eq!(fate("PARKED"), Fate::Parked);
        assert_eq!(fate("QUEUED"), Fate::Undecided);
        assert_eq!(fate("REJECTED"), Fate::Refused("REJECTED".into()));
    }

    #[test]
    fn a_refusal_is_an_outcome_and_a_fault_is_not() {
        let body = r#"{"status":409,"code":"OUT_OF_STOCK"}"#;
        assert!(
            matches!(reply(409, body), Reply::Decided { fate: Fate::Refused(code), .. } if code == "OUT_OF_STOCK")
        );
        assert!(matches!(reply(400, "{}"), Reply::Wrong(code) if code == "HTTP_400"));
        assert!(matches!(reply(202, "{}"), Reply::Wrong(code) if code == "UNREADABLE_202"));
    }

    #[test]
    fn somebody_elses_purchase_is_noticed() {
        let theirs = purchase("CONFIRMED").replace("u-1", "u-2");
        assert!(matches!(reply(200, &theirs), Reply::Decided { somebody_elses: true, .. }));
    }
}
