//! What clients did and what they were told: the evidence that no server can change afterwards.
//!
//! A history is a list of lines, one per request, answer, look and announcement, in the order in
//! which they happened. On disk it is JSON, one line each.

use serde::{Deserialize, Serialize};
use shared::domain::{
    IdempotencyKey, ProductId, Quantity, Reason, Status, StockLevel, Timestamp, TrackingId, UserId,
};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// When, by the clock of the machine that all clients share.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    /// A client asked for something.
    Asked {
        /// Names the attempt; a retry is an attempt of its own.
        attempt: u64,
        /// What it asked for.
        want: Want,
    },
    /// It was answered.
    Answered {
        /// Which attempt.
        attempt: u64,
        /// What it was told.
        answer: Answer,
    },
    /// A client looked at an order.
    Looked {
        /// Whose memory was read: an instance of the API, from one start to its end.
        reader: String,
        /// Which order.
        id: TrackingId,
        /// What it saw.
        seen: Seen,
    },
    /// A reader of announcements was told of stock.
    Stock {
        /// Who was told.
        reader: String,
        /// What.
        level: StockLevel,
    },
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Want {
    /// Who.
    pub user: UserId,
    /// Of what.
    pub product: ProductId,
    /// How many units.
    pub quantity: Quantity,
    /// To hold them, not to buy them.
    pub hold: bool,
    /// The key of the purchase that this is an attempt of.
    pub key: Option<IdempotencyKey>,
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Answer {
    /// 202.
    Accepted {
        /// Where to look.
        id: TrackingId,
    },
    /// The outcome, synchronously.
    Decided {
        /// The order.
        id: TrackingId,
        /// Where it stands.
        status: Status,
        /// Its version.
        version: i64,
    },
    /// Refused without a record.
    Refused {
        /// Why.
        reason: Reason,
    },
    /// Not now: 503, or no answer at all. Whether there is an order is not known.
    Unknown,
}

/// What a look at an order showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Seen {
    /// An order; of a repetition, its original.
    Order {
        /// Which.
        order: TrackingId,
        /// Where it stands.
        status: Status,
        /// Its version.
        version: i64,
    },
    /// 404.
    NeverIssued,
    /// Nothing could be said.
    Unknown,
}

/// A list of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History(pub Vec<Line>);

impl History {
    /// JSON, one line each.
    pub fn to_json_lines(&self) -> String {
        // Plain values always have a JSON form.
        let lines = self.0.iter().filter_map(|line| serde_json::to_string(line).ok());
        lines.fold(String::new(), |text, line| text + &line + "\n")
    }

    /// Reads what [`Self::to_json_lines`] wrote.
    pub fn from_json_lines(text: &str) -> Result<Self, serde_json::Error> {
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>().map(Self)
    }

    /// Attempts with what was asked and what was answered, if anything was.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = (u64, &Want)> {
        self.0.iter().filter_map(|line| match &line.what {
            What::Asked { attempt, want } => Some((*attempt, want)),
            _ => None,
        })
    }

    /// The answers, with the moment at which each was given.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (Timestamp, u64, &Answer)> {
        self.0.iter().filter_map(|line| match &line.what {
            What::Answered { attempt, answer } => Some((line.at, *attempt, answer)),
            _ => None,
        })
    }

    /// The looks, by reader, with the moment of each.
    pub(crate) fn looks(&self) -> impl Iterator<Item = (Timestamp, &str, TrackingId, &Seen)> {
        self.0.iter().filter_map(|line| match &line.what {
            What::Looked { reader, id, seen } => Some((line.at, reader.as_str(), *id, seen)),
            _ => None,
        })
    }

    /// The stock that readers were told of.
    pub(crate) fn stock(&self) -> impl Iterator<Item = (&str, StockLevel)> {
        self.0.iter().filter_map(|line| match &line.what {
            What::Stock { reader, level } => Some((reader.as_str(), *level)),
            _ => None,
        })
    }
}
