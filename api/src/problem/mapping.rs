//! Every error that can reach a client, and what the client is told of it; the log is told the rest.

use serde_json::json;
use shared::domain::{Reason, TrackingId};
use shared::pipeline::admit::AdmitError;
use shared::pipeline::conclude::ConcludeError;
use shared::pipeline::dead_letters::LetterError;
use shared::pipeline::group_commit::LineError;
use shared::pipeline::track::TrackError;
use shared::pipeline::waiting_room::RoomError;
use shared::ports::LedgerError;
use tracing::warn;

use super::document::Problem;
use super::fault::Faults;
use super::kind::{self, Kind};
use crate::levels::LevelError;
use crate::sales::SaleError;
use crate::throttle::Throttle;

/// In an outage every request fails for the same reason: one line a second says it.
static OUTAGES: Throttle = Throttle::per_second();

const TRY_AGAIN: &str = "Nothing was promised. Try again; with the same Idempotency-Key a retry \
                         is never a second purchase.";

impl Problem {
    /// A refusal by a rule.
    pub fn refused(reason: Reason) -> Self {
        Self::plain(Kind::of_reason(reason))
    }

    /// A refusal that was recorded under `id`.
    pub fn recorded(reason: Reason, id: TrackingId) -> Self {
        Self::refused(reason).with("trackingId", id.to_string())
    }

    /// A purchase that is not done for now, and may be tried again.
    pub fn try_again(kind: Kind) -> Self {
        Self::new(kind, TRY_AGAIN)
    }
}

impl From<Faults> for Problem {
    fn from(faults: Faults) -> Self {
        let faults = faults.all();
        let texts: Vec<_> = faults.iter().map(|f| format!("{}: {}", f.field, f.fault)).collect();
        Self::new(kind::INVALID_REQUEST, texts.join("; ")).with("faults", json!(faults))
    }
}

impl From<AdmitError> for Problem {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Refused(reason) => Self::refused(reason),
            AdmitError::Limited(quota) => Self::limited(quota),
            AdmitError::PassRequired(sale) => {
                Self::plain(kind::PASS_REQUIRED).with("flashSaleId", sale.0)
            }
            AdmitError::PassExpired(sale) => {
                Self::plain(kind::PASS_EXPIRED).with("flashSaleId", sale.0)
            }
            AdmitError::NoSuchSale => Self::plain(kind::SALE_NOT_FOUND),
            AdmitError::Unavailable(why) => {
                OUTAGES.or_skip(|| warn!(why, "purchases are not accepted"));
                Self::try_again(kind::UNAVAILABLE)
            }
            AdmitError::Overloaded => Self::try_again(kind::OVERLOADED),
        }
    }
}

impl From<ConcludeError> for Problem {
    fn from(error: ConcludeError) -> Self {
        OUTAGES.or_skip(|| warn!(%error, "purchases are not concluded"));
        match error {
            ConcludeError::Line(LineError::Full) => Self::try_again(kind::OVERLOADED),
            ConcludeError::Ledger(_) | ConcludeError::Line(_) | ConcludeError::Late(_) => {
                Self::try_again(kind::UNAVAILABLE)
            }
        }
    }
}

impl From<RoomError> for Problem {
    fn from(error: RoomError) -> Self {
        match error {
            RoomError::NoRoom => Self::plain(kind::NO_WAITING_ROOM),
            RoomError::Refused(reason) => Self::refused(reason),
            RoomError::Unavailable(why) => {
                OUTAGES.or_skip(|| warn!(why, "a waiting room cannot be asked"));
                Self::new(
                    kind::UNAVAILABLE,
                    "The line cannot be asked for a moment. Nobody loses a place.",
                )
            }
            RoomError::Line(error) => error.into(),
        }
    }
}

impl From<TrackError> for Problem {
    fn from(error: TrackError) -> Self {
        match error {
            TrackError::NeverIssued => Self::plain(kind::PURCHASE_NOT_FOUND),
            TrackError::Ledger(error) => error.into(),
            TrackError::Line(error) => error.into(),
        }
    }
}

impl From<LevelError> for Problem {
    fn from(error: LevelError) -> Self {
        match error {
            LevelError::NoSuchProduct => Self::refused(Reason::ProductNotFound),
            LevelError::Ledger(error) => error.into(),
            LevelError::Line(error) => error.into(),
        }
    }
}

impl From<SaleError> for Problem {
    fn from(error: SaleError) -> Self {
        match error {
            SaleError::NoSuchSale => Self::plain(kind::SALE_NOT_FOUND),
            SaleError::Level(error) => error.into(),
            SaleError::Ledger(error) => error.into(),
            SaleError::Line(error) => error.into(),
        }
    }
}

impl From<LineError> for Problem {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Full => Self::new(kind::OVERLOADED, "Too many requests are waiting."),
            LineError::Closed => Self::plain(kind::UNAVAILABLE),
        }
    }
}

impl From<LetterError> for Problem {
    fn from(error: LetterError) -> Self {
        match error {
            LetterError::Ledger(error) => error.into(),
            LetterError::Queue(error) => {
                warn!(%error, "a dead letter was not replayed");
                Self::new(kind::UNAVAILABLE, "The broker did not take it. Replay it again.")
            }
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Unavailable(why) => {
                OUTAGES.or_skip(|| warn!(why, "the ledger did not answer"));
                Self::new(kind::UNAVAILABLE, "The ledger is away. Try again.")
            }
            LedgerError::Poison(why) => {
                tracing::error!(why, "the ledger refused what the parser had let through");
                Self::plain(kind::INTERNAL)
            }
            LedgerError::ProductNotFound => Self::refused(Reason::ProductNotFound),
            LedgerError::SkuTaken => Self::plain(kind::SKU_TAKEN),
            LedgerError::StockInUse { available } => {
                let detail = format!("Only {available} units are neither held nor sold.");
                Self::new(kind::STOCK_IN_USE, detail).with("available", available)
            }
            LedgerError::SaleNotFound => Self::plain(kind::SALE_NOT_FOUND),
            LedgerError::SaleOverlap(other) => {
                let detail = format!("Sale {other} of this product is at the same time.");
                Self::new(kind::SALE_OVERLAP, detail).with("saleId", other.0)
            }
            LedgerError::SaleFixed(phase) => {
                let detail = format!("The sale is {phase}.");
                Self::new(kind::SALE_FIXED, detail).with("status", phase.as_str())
            }
            LedgerError::SaleBackwards => {
                Faults::one("endsAt", "must be later than startsAt").into()
            }
            LedgerError::SaleTaken { taken } => {
                let detail = format!("{taken} units of the sale are sold or held.");
                Self::new(kind::SALE_TAKEN, detail).with("taken", taken)
            }
            LedgerError::LetterNotFound => Self::plain(kind::DEAD_LETTER_NOT_FOUND),
            LedgerError::LetterUnusable => {
                let detail = "It cannot be decoded, or its ID is not its own. It can be discarded.";
                Self::new(kind::NOT_REPLAYABLE, detail)
            }
            LedgerError::LetterDecided(status) => {
                let detail = format!("Its order is {status} already.");
                Self::new(kind::INVALID_TRANSITION, detail).with("status", status.as_str())
            }
        }
    }
}
