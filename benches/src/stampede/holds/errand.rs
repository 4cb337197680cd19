//! The second request of a holder: check out, or cancel. Both can be repeated: a checkout is the
//! same for as long as it names the same payment transaction.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::Instant;

use serde::Deserialize;
use uuid::Uuid;

use crate::client::{Answer, Line, Request};
use crate::shop::problem::code;
use crate::stampede::insist::{Insisted, Repeat, insist};
use crate::stampede::run::Run;

const CHECKOUT: &str = "/api/v1/orders/checkout";
const RESERVATIONS: &str = "/api/v1/reservations";

/// What the holder does with the hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    CheckOut,
    Cancel,
}

/// A granted hold whose holder has something left to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Errand {
    pub(crate) act: Act,
    pub(crate) buyer: u64,
    pub(crate) reservation: Uuid,
    /// The hold cannot be over before this, by the buyer's clock.
    pub(crate) safe_until: Instant,
}

/// How an errand ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Paid and sold.
    Confirmed,
    /// The payment provider has not said yet.
    Pending,
    /// The payment was declined.
    Declined,
    /// The hold was given back.
    Cancelled,
    /// The hold is over, for this reason.
    Gone(String),
    /// The shop does not know the hold that it granted.
    Denied(String),
    /// An answer that a correct request never gets.
    Wrong(String),
}

/// An order or a reservation, as far as the holder looks at it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default)]
    user_id: Option<String>,
}

impl Ending {
    fn read(act: Act, answer: &Answer<'_>, status: &str) -> Self {
        match (act, answer.status, status) {
            (Act::CheckOut, 200 | 201, "CONFIRMED" | "FULFILLED") => Self::Confirmed,
            (Act::CheckOut, 200 | 201, "PENDING") => Self::Pending,
            (Act::CheckOut, 402, _) => Self::Declined,
            (Act::Cancel, 200, "CANCELLED") | (Act::Cancel, 204, _) => Self::Cancelled,
            (Act::Cancel, 200, over @ ("EXPIRED" | "FAILED")) => Self::Gone(over.to_owned()),
            (_, 409 | 410, _) => Self::Gone(code(answer)),
            (_, 404, _) => Self::Denied(code(answer)),
            (_, 200 | 201, status) => Self::Wrong(format!("UNEXPECTED_{status}")),
            _ => Self::Wrong(code(answer)),
        }
    }
}

/// The holder's request, in buffers that the next one uses again.
#[derive(Default)]
pub(crate) struct Desk {
    path: String,
    body: Vec<u8>,
}

impl Desk {
    /// Does the errand and counts how it ended.
    pub(crate) async fn serve(&mut self, run: &Run, line: &mut Line, errand: Errand) {
        let sent = Instant::now();
        run.tally().sets_out(&errand);
        let user_id = run.user_id(errand.buyer);
        let request = self.request(run, &errand);
        let read = |answer: &Answer<'_>| {
            let shown = serde_json::from_slice::<Shown<'_>>(answer.body).ok();
            let status = shown.as_ref().map_or("UNREADABLE", |shown| &*shown.status);
            let shown_to = shown.as_ref().and_then(|shown| shown.user_id.as_deref());
            let is_mixed_up = shown_to.is_some_and(|shown_to| shown_to != user_id);
            (Ending::read(errand.act, answer, status), is_mixed_up)
        };
        match insist(run, line, &request, Repeat::Safe, read).await {
            Insisted::Got((ending, is_mixed_up)) => {
                run.tally().mixed_up += u64::from(is_mixed_up);
                run.errand_ended(&errand, sent, ending);
            }
            Insisted::InVain(last_heard) => run.tally().errand_in_vain(&errand, &last_heard),
            Insisted::Unknown => run.tally().errand_in_vain(&errand, "NO_ANSWER"),
        }
    }

    // Writing to memory cannot fail.
    fn request(&mut self, run: &Run, errand: &Errand) -> Request<'_> {
        self.path.clear();
        self.body.clear();
        match errand.act {
            Act::CheckOut => {
                self.path.push_str(CHECKOUT);
                let _ = write!(
                    self.body,
                    concat!(
                        r#"{{"reservationId":"{}","paymentTransactionId":"pay-{}-{}","#,
                        r#""paymentMethod":"card","shippingAddress":{{"name":"Buyer {}","#,
                        r#""street":"1 Main Street","city":"Springfield","postalCode":"12345","#,
                        r#""country":"US"}}}}"#
                    ),
                    errand.reservation, run.id, errand.buyer, errand.buyer
                );
            }
            Act::Cancel => {
                self.path.push_str(RESERVATIONS);
                self.path.push('/');
                let mut id = uuid::Uuid::encode_buffer();
                self.path.push_str(errand.reservation.hyphenated().encode_lower(&mut id));
            }
        }
        Request {
            method: if errand.act == Act::CheckOut { "POST" } else { "DELETE" },
            path: &self.path,
            headers: &[],
            body: &self.body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_the_contract_has_a_meaning() {
        let ending = |act, http, status: &str| {
            let body = format!(r#"{{"code":"{status}"}}"#);
            let answer = Answer { status: http, retry_after_s: None, body: body.as_bytes() };
            Ending::read(act, &answer, status)
        };
        assert_eq!(ending(Act::CheckOut, 201, "CONFIRMED"), Ending::Confirmed);
        assert_eq!(ending(Act::CheckOut, 201, "PENDING"), Ending::Pending);
        assert_eq!(ending(Act::CheckOut, 402, "PAYMENT_DECLINED"), Ending::Declined);
        assert_eq!(ending(Act::Cancel, 200, "CANCELLED"), Ending::Cancelled);
        for gone in ["RESERVATION_EXPIRED", "INVALID_TRANSITION"] {
            assert_eq!(ending(Act::CheckOut, 409, gone), Ending::Gone(gone.into()));
            assert_eq!(ending(Act::Cancel, 409, gone), Ending::Gone(gone.into()));
        }
        assert!(matches!(ending(Act::Cancel, 404, "RESERVATION_NOT_FOUND"), Ending::Denied(_)));
        assert!(matches!(ending(Act::Cancel, 200, "CONFIRMED"), Ending::Wrong(_)));
        assert!(matches!(ending(Act::CheckOut, 400, "INVALID_REQUEST"), Ending::Wrong(_)));
    }
}
