//! What the answer to a hold says.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::stampede::answer::Fate;

/// How long a hold was granted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    /// By the server's clock.
    pub(crate) expires_at: DateTime<Utc>,
    /// From a moment of the server's clock between the request and its answer to `expires_at`. So
    /// by the buyer's own clock it cannot be over before *first sent* + this, and must be over at
    /// *answered* + this, whatever the two clocks show.
    pub(crate) lasts: Duration,
}

impl Term {
    /// `None` without a deadline, or with one in the past already.
    pub(crate) fn new(
        since: Option<DateTime<Utc>>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Option<Self> {
        let expires_at = expires_at?;
        let lasts = (expires_at - since?).to_std().ok()?;
        Some(Self { expires_at, lasts })
    }
}

/// A hold as `POST /api/v1/reservations` answers with it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reservation<'a> {
    #[serde(rename = "reservationId")]
    pub(crate) id: Uuid,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default)]
    pub(crate) user_id: Option<String>,
    #[serde(default)]
    created_at: Option<DateTime<Utc>>,
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
}

impl Reservation<'_> {
    /// What became of the request to hold.
    pub(crate) fn fate(&self) -> Fate {
        match &*self.status {
            "RESERVED" => Fate::Held(Term::new(self.created_at, self.expires_at)),
            "QUEUED" => Fate::Undecided,
            over => Fate::Refused(over.to_owned()),
        }
    }
}
