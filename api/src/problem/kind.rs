//! The codes: stable words that clients may compare, each with its status.

use axum::http::StatusCode;
use shared::domain::Reason;

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The stable word.
    pub code: &'static str,
    /// Its status code.
    pub status: StatusCode,
    /// What it means, the same text every time (RFC 9457, section 3.1.3).
    pub title: &'static str,
}

/// Declares kinds and the list of them all.
macro_rules! kinds {
    ($($name:ident = $status:ident, $title:literal;)+) => {
        $(
            #[doc = $title]
            pub const $name: Kind =
                Kind { code: stringify!($name), status: StatusCode::$status, title: $title };
        )+
        /// Every kind that is not a reason of the domain.
        pub const ALL: &[Kind] = &[$($name),+];
    };
}

kinds! {
    INVALID_REQUEST = BAD_REQUEST, "The request is not valid";
    UNAUTHENTICATED = UNAUTHORIZED, "Credentials are missing or wrong";
    FORBIDDEN = FORBIDDEN, "These credentials do not allow it";
    CHALLENGE_REQUIRED = FORBIDDEN, "A challenge must be passed first";
    PASS_REQUIRED = FORBIDDEN, "This sale has a waiting room: wait in line first";
    PASS_EXPIRED = FORBIDDEN, "The pass of the waiting room has expired: join the line again";
    NOT_FOUND = NOT_FOUND, "There is nothing at this path";
    NO_WAITING_ROOM = NOT_FOUND, "This sale has no waiting room";
    NOT_IN_QUEUE = NOT_FOUND, "Nobody stands in line with this";
    PURCHASE_NOT_FOUND = NOT_FOUND, "This tracking ID was never issued";
    SALE_NOT_FOUND = NOT_FOUND, "There is no such sale";
    ORDER_NOT_FOUND = NOT_FOUND, "There is no such order";
    RESERVATION_NOT_FOUND = NOT_FOUND, "There is no such reservation";
    DEAD_LETTER_NOT_FOUND = NOT_FOUND, "There is no such dead letter";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED, "The path does not support this method";
    REQUEST_TIMEOUT = REQUEST_TIMEOUT, "The request body did not arrive in time";
    PAYMENT_DECLINED = PAYMENT_REQUIRED, "The payment was declined";
    INVALID_TRANSITION = CONFLICT, "The order does not allow it where it stands";
    NOT_REPLAYABLE = CONFLICT, "The dead letter has no purchase that could be settled";
    RESERVATION_EXPIRED = CONFLICT, "The hold has expired";
    SALE_OVERLAP = CONFLICT, "Another sale of the product is at the same time";
    SALE_FIXED = CONFLICT, "The sale cannot be changed like this any more";
    SALE_TAKEN = CONFLICT, "The sale has sold or holds more units than that";
    USER_TAKEN = CONFLICT, "Another account has this name";
    SKU_TAKEN = CONFLICT, "Another product has this SKU";
    STOCK_IN_USE = CONFLICT, "So many units cannot be withdrawn or added";
    PAYLOAD_TOO_LARGE = PAYLOAD_TOO_LARGE, "The request body is too large";
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE, "The request body is not JSON";
    UPGRADE_REQUIRED = UPGRADE_REQUIRED, "This path speaks WebSocket only";
    RATE_LIMITED = TOO_MANY_REQUESTS, "Too many requests in too short a time";
    INTERNAL = INTERNAL_SERVER_ERROR, "A defect on our side";
    UNAVAILABLE = SERVICE_UNAVAILABLE, "Something it needs is away";
    OVERLOADED = SERVICE_UNAVAILABLE, "Too many requests are waiting";
}

impl Kind {
    /// The kind of a refusal by a rule.
    pub const fn of_reason(reason: Reason) -> Self {
        let (status, title) = match reason {
            Reason::OutOfStock => (StatusCode::CONFLICT, "Too few units are available"),
            Reason::LimitReached => (StatusCode::CONFLICT, "It would exceed the limit per user"),
            Reason::AlreadyPurchased => (StatusCode::CONFLICT, "This user has already bought it"),
            Reason::AlreadyReserved => (StatusCode::CONFLICT, "This user already holds it"),
            Reason::SaleNotStarted => (StatusCode::CONFLICT, "The sale has not started"),
            Reason::SaleEnded => (StatusCode::CONFLICT, "The sale is over"),
            Reason::SaleCancelled => (StatusCode::CONFLICT, "The sale was called off"),
            Reason::ProductInactive => (StatusCode::CONFLICT, "The product is not for sale"),
            Reason::ProductNotFound => (StatusCode::NOT_FOUND, "There is no such product"),
            Reason::IdempotencyKeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "The key came with another request before")
            }
            Reason::Replay => (StatusCode::CONFLICT, "It repeats an earlier purchase"),
            Reason::Discarded => (StatusCode::CONFLICT, "An operator discarded the purchase"),
        };
        Self { code: reason.as_str(), status, title }
    }

    /// The kind for an answer that came from outside our handlers with nothing but a status.
    pub fn of_status(status: StatusCode) -> Self {
        // Of several with one status, the first in the table is the general one.
        let general = ALL.iter().find(|kind| kind.status == status).copied();
        general.unwrap_or(if status.is_server_error() { INTERNAL } else { INVALID_REQUEST })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_its_general_kind() {
        assert_eq!(Kind::of_status(StatusCode::NOT_FOUND), NOT_FOUND);
        assert_eq!(Kind::of_status(StatusCode::SERVICE_UNAVAILABLE), UNAVAILABLE);
        assert_eq!(Kind::of_status(StatusCode::IM_A_TEAPOT), INVALID_REQUEST);
    }

    #[test]
    fn no_code_stands_twice() {
        let reasons = Reason::ALL.iter().map(|&reason| Kind::of_reason(reason).code);
        let codes: Vec<_> = ALL.iter().map(|kind| kind.code).chain(reasons).collect();
        let unique: std::collections::HashSet<_> = codes.iter().collect();
        assert_eq!(unique.len(), codes.len());
    }
}
