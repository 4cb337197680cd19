//! What an answer is to a measurement: as asked for, a refusal, or no answer at all.

use std::borrow::Cow;
use std::io;

use serde::Deserialize;
use uuid::Uuid;

use crate::client::{Answer, Broken};
use crate::engine::scenario::Expected;

/// What was heard of one request. Borrows from the connection: nothing is allocated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// As asked for; with the tracking ID where it was wanted.
    Answered(Option<Uuid>),
    /// The shop says no, for this reason.
    Refused(Cow<'a, str>),
    /// An answer that a correct request never gets, or none. True if the request may have counted
    /// all the same.
    Failed(Cow<'a, str>, bool),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    tracking_id: Uuid,
}

#[derive(Deserialize)]
struct Problem<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
}

impl<'a> Heard<'a> {
    /// Reads `answer`; tracking IDs only where they are wanted, because parsing costs.
    pub(crate) fn read(answer: &Answer<'a>, expected: Expected, wants_id: bool) -> Self {
        match (answer.status, expected) {
            (202, Expected::Accepted) if wants_id => {
                serde_json::from_slice::<Accepted>(answer.body)
                    .map_or(Self::Failed("UNREADABLE_202".into(), true), |accepted| {
                        Self::Answered(Some(accepted.tracking_id))
                    })
            }
            (202, Expected::Accepted) | (200 | 201, Expected::Done) => Self::Answered(None),
            (409, Expected::OutOfStock) => match code(answer) {
                code if code == "OUT_OF_STOCK" => Self::Answered(None),
                code => Self::Refused(code),
            },
            (409 | 422 | 429 | 503, _) => Self::Refused(code(answer)),
            (status @ 200..=299, _) => Self::Failed(format!("UNEXPECTED_{status}").into(), true),
            (status, _) => Self::Failed(code(answer), status >= 500),
        }
    }

    /// No answer came.
    pub(crate) fn nothing(broken: &Broken) -> Self {
        let word = match broken.source.kind() {
            io::ErrorKind::TimedOut => "NO_ANSWER_IN_10_S",
            _ if broken.sent => "CONNECTION_BROKEN",
            _ => "NOT_CONNECTED",
        };
        Self::Failed(word.into(), broken.sent)
    }
}

fn code<'a>(answer: &Answer<'a>) -> Cow<'a, str> {
    match serde_json::from_slice::<Problem<'a>>(answer.body) {
        Ok(problem) => problem.code,
        Err(_) => format!("HTTP_{}", answer.status).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(status: u16, body: &str, expected: Expected) -> Heard<'_> {
        Heard::read(&Answer { status, retry_after_s: None, body: body.as_bytes() }, expected, true)
    }

    #[test]
    fn only_the_answer_asked_for_counts() {
        let id = Uuid::from_u128(7);
        let accepted = format!(r#"{{"trackingId":"{id}"}}"#);
        assert_eq!(heard(202, &accepted, Expected::Accepted), Heard::Answered(Some(id)));
        assert_eq!(heard(201, "", Expected::Done), Heard::Answered(None));
        let gone = r#"{"code":"OUT_OF_STOCK"}"#;
        assert_eq!(heard(409, gone, Expected::OutOfStock), Heard::Answered(None));
        assert_eq!(heard(409, gone, Expected::Done), Heard::Refused("OUT_OF_STOCK".into()));
        assert!(matches!(heard(202, &accepted, Expected::OutOfStock), Heard::Failed(_, true)));
        assert!(matches!(heard(202, "{}", Expected::Accepted), Heard::Failed(_, true)));
    }

    #[test]
    fn a_busy_shop_refuses_and_a_broken_one_fails() {
        assert_eq!(heard(503, "", Expected::Done), Heard::Refused("HTTP_503".into()));
        assert_eq!(heard(500, "", Expected::Done), Heard::Failed("HTTP_500".into(), true));
        assert_eq!(heard(404, "", Expected::Done), Heard::Failed("HTTP_404".into(), false));
    }
}
