//! Dead letters as operators see them, and the log of what operators did.

use serde_json::Value;

use super::announcement::{Announcement, DeadLetter};
use super::ledger::LedgerError;
use crate::domain::{Order, Purchase, Reason, Status, Timestamp, TrackingId, envelope};

/// The number of a dead letter; rises with every letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LetterId(pub i64);

impl std::fmt::Display for LetterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How an operator names a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterRef {
    /// By its number.
    Id(LetterId),
    /// By its order; of several the latest is meant.
    Order(TrackingId),
}

impl std::str::FromStr for LetterRef {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number: &i64| *number > 0);
        let order = || text.parse().ok().map(Self::Order);
        let fault = "must be the number of a dead letter, or the ID of its order";
        number.map(|number| Self::Id(LetterId(number))).or_else(order).ok_or(fault)
    }
}

impl std::fmt::Display for LetterRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Order(id) => id.fmt(f),
        }
    }
}

/// A dead letter as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLetter {
    /// Its number.
    pub id: LetterId,
    /// The message. In lists, bodies of more than [`LISTED_BYTES_MAX`] bytes are left out.
    pub letter: DeadLetter,
    /// Length of the body.
    pub bytes: usize,
    /// Attempts that were made to settle it on its own.
    pub attempts: u32,
    /// Since when it is kept, by the ledger's clock.
    pub at: Timestamp,
    /// When it was last replayed; none where it has failed again since.
    pub replayed_at: Option<Timestamp>,
    /// Since when it waits for nobody: its order was decided, or it was discarded.
    pub closed_at: Option<Timestamp>,
    /// Its order as it is now.
    pub order: Option<Order>,
}

/// Bodies up to this length are listed. A purchase has a few hundred bytes; what is longer was not
/// written by us.
pub const LISTED_BYTES_MAX: usize = 64 << 10;

impl KeptLetter {
    /// Whether it waits for an operator.
    pub const fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// The purchase to publish when it is replayed; none where nothing of it can be settled.
    pub fn replay(&self) -> Option<Purchase> {
        let id = self.letter.order_id?;
        let found = envelope::purchases_in(&self.letter.body).into_iter().find(|p| p.id == id)?;
        Some(Purchase { replayed: true, ..found })
    }

    /// Whether a replay has anything to do: nothing where the order was settled already.
    pub fn is_to_be_replayed(&self) -> Result<bool, LedgerError> {
        let (Some(order), Some(_)) = (&self.order, self.replay()) else {
            return Err(LedgerError::LetterUnusable);
        };
        match order.reason {
            Some(Reason::Discarded) => Err(LedgerError::LetterDecided(order.status)),
            _ => Ok(order.status == Status::Parked),
        }
    }
}

/// Which letters, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterQuery {
    /// Only those that wait for an operator.
    pub open: bool,
    /// Only those after this one: the last of the page before.
    pub after: LetterId,
    /// So many at most.
    pub limit: usize,
}

/// The letters that wait for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LettersWaiting {
    /// How many.
    pub count: u64,
    /// How long the oldest has waited, in milliseconds; 0 where none does.
    pub oldest_ms: i64,
    /// When one was last dealt with.
    pub last_closed_at: Option<Timestamp>,
}

/// Outbox rows: what commits owe to the world and nobody has paid yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DuesWaiting {
    /// How many.
    pub count: u64,
    /// How long the oldest has waited, in milliseconds; 0 where none does.
    pub oldest_ms: i64,
}

/// What waits in the ledger for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// For operators.
    pub letters: LettersWaiting,
    /// For the relay or the sweep.
    pub dues: DuesWaiting,
}

/// What an operator's word on a letter came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterMoved {
    /// The letter as it is now.
    pub letter: KeptLetter,
    /// False: there was nothing left to do.
    pub changed: bool,
    /// What is owed for it.
    pub announcement: Option<Announcement>,
}

/// What an operator did, or what concerns security. The log of these is only ever added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When, by the ledger's clock.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// From where: the client's address; empty where there is none.
    pub origin: String,
    /// What, such as `dead-letter.replay`.
    pub action: String,
    /// To what, such as `dead-letters/7`.
    pub subject: String,
    /// What else there is to say, a JSON object.
    pub details: Value,
}

/// Which entries of the audit log, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// Only those after this one: the last of the page before.
    pub after: i64,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only those of this kind.
    pub action: Option<String>,
    /// Only those about this.
    pub subject: Option<String>,
    /// So many at most.
    pub limit: usize,
}

/// An operator's word on a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterAct {
    /// Its purchase is settled again.
    Replay,
    /// It is given up.
    Discard,
}

impl LetterAct {
    /// The name in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "dead-letter.replay",
            Self::Discard => "dead-letter.discard",
        }
    }
}
