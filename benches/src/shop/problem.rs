//! What the shop says when it refuses: an `application/problem+json` (RFC 9457).

use serde::Deserialize;

use crate::client::Answer;

/// What is read of a problem.
#[derive(Deserialize)]
pub(crate) struct Problem {
    pub(crate) code: String,
    pub(crate) detail: Option<String>,
}

/// The problem's code, or `HTTP_` and the status.
pub(crate) fn code(answer: &Answer<'_>) -> String {
    match serde_json::from_slice::<Problem>(answer.body) {
        Ok(problem) => problem.code,
        Err(_) => format!("HTTP_{}", answer.status),
    }
}
