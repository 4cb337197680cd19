//! Outage or poison? The table that decides whether a batch waits in hand or a culprit is sought.

use diesel::result::{DatabaseErrorKind, Error};

use super::tap::SqlState;
use crate::planted::planted;
use crate::ports::LedgerError;

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// The world changed while we looked, or the server sacrificed us to end a deadlock: again,
    /// from the beginning. Counted against nobody.
    Again(String),
    /// For the caller.
    Ledger(LedgerError),
}

impl Fault {
    /// An outage that is not an error of the server.
    pub(super) fn outage(what: impl Into<String>) -> Self {
        Self::Ledger(LedgerError::Unavailable(what.into()))
    }

    /// What an error of diesel's with this SQLSTATE means.
    pub(super) fn of(error: &Error, state: Option<SqlState>) -> Self {
        let Error::DatabaseError(kind, info) = error else {
            return Self::outage(error.to_string());
        };
        // Without an answer of the server there is no code; one that is left is older.
        let lost = matches!(
            kind,
            DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection
        );
        let Some(state) = state.filter(|_| !lost) else {
            return Self::outage(info.message());
        };
        let text = format!("{} (SQLSTATE {})", info.message(), state.as_str());
        match verdict(state, info.table_name(), info.constraint_name()) {
            Verdict::Again => Self::Again(text),
            Verdict::Poison => Self::Ledger(LedgerError::Poison(text)),
            Verdict::SkuTaken => Self::Ledger(LedgerError::SkuTaken),
            Verdict::Outage => Self::outage(text),
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<Fault> for LedgerError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Again(text) => Self::Unavailable(text),
            Fault::Ledger(error) => error,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Again,
    Poison,
    SkuTaken,
    Outage,
}

/// The unique indexes of `orders`.
const ORDERS_UNIQUE: [&str; 3] = ["orders_pkey", "orders_user_key", "orders_reclaims"];

/// The table. What it does not know is an outage: waiting harms nobody, parking an innocent does.
fn verdict(state: SqlState, table: Option<&str>, constraint: Option<&str>) -> Verdict {
    match (state.class(), state.as_str()) {
        // serialization_failure, deadlock_detected
        (_, "40001" | "40P01") => Verdict::Again,
        // unique_violation: somebody else settled the purchase, or one under its key, since we looked.
        ("23", "23505") if constraint.is_some_and(|name| ORDERS_UNIQUE.contains(&name)) => {
            Verdict::Again
        }
        // Data exceptions: a value that no column can hold.
        ("22", _) => Verdict::Poison,
        ("23", _) if constraint == Some("products_sku_key") => Verdict::SkuTaken,
        // A constraint of `orders` (not-null ones have no name). Other tables' constraints guard
        // against our own mistakes, which no purchase should be parked for.
        ("23", _) if table == Some("orders") => Verdict::Poison,
        _ if planted("outage-is-poison") => Verdict::Poison,
        _ => Verdict::Outage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_purchases_own_fault_is_poison() {
        let orders = Some("orders");
        let cases = [
            (b"22021", None, None, Verdict::Poison),
            (b"22008", None, None, Verdict::Poison),
            (b"23514", orders, Some("orders_terms"), Verdict::Poison),
            (b"23502", orders, None, Verdict::Poison),
            (b"23514", Some("inventory"), Some("inventory_conserved"), Verdict::Outage),
            (b"23505", Some("products"), Some("products_sku_key"), Verdict::SkuTaken),
            (b"23505", orders, Some("orders_pkey"), Verdict::Again),
            (b"23505", orders, Some("orders_user_key"), Verdict::Again),
            (b"40P01", None, None, Verdict::Again),
            (b"40001", None, None, Verdict::Again),
            (b"55P03", None, None, Verdict::Outage),
            (b"57014", None, None, Verdict::Outage),
            (b"57P01", None, None, Verdict::Outage),
            (b"53100", None, None, Verdict::Outage),
            (b"42P01", orders, None, Verdict::Outage),
            (b"ZZ999", orders, Some("orders_terms"), Verdict::Outage),
        ];
        for (code, table, constraint, expected) in cases {
            let state = SqlState(*code);
            assert_eq!(verdict(state, table, constraint), expected, "{}", state.as_str());
        }
    }
}
