//! Why a run could not take place or be judged; each text says what to do next.

use serde::Deserialize;

use crate::http::{Broken, InvalidUrl};

/// The run could not be done. What a run *found* is in the report, not here.
#[derive(Debug, thiserror::Error)]
pub enum StampedeError {
    /// An option is out of range.
    #[error("{0}")]
    Plan(&'static str),
    /// A URL cannot be used.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// Nobody answers.
    #[error("nobody answers at {url}; is doorbuster-api running there?", url = .0.target)]
    Unreachable(#[from] Broken),
    /// The API answered something else than expected.
    #[error("{what}: {status} {detail}; {advice}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The status code.
        status: u16,
        /// What the API said.
        detail: String,
        /// What to do next.
        advice: &'static str,
    },
    /// The answer is not what the HTTP contract says.
    #[error("{what}: not the JSON of Doorbuster's HTTP contract; is the URL right?")]
    Answer {
        /// What was asked for.
        what: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// An instance does not show the new product.
    #[error(
        "{0} does not show the product with its stock after 10 s; look at its /readyz and its log"
    )]
    NotShown(String),
    /// The audit does not know the product.
    #[error("the audit does not list product {0}; do all URLs use the same database?")]
    NotAudited(i64),
    /// The shell for `--at-half` cannot be run.
    #[error("--at-half could not be run; is there a `sh` on the path?")]
    Strike(#[source] std::io::Error),
    /// A task of the generator panicked.
    #[error("the load generator itself failed: {0}; please report this")]
    Crashed(#[from] tokio::task::JoinError),
}

/// What is read of an `application/problem+json`.
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: Option<String>,
}

/// The error for an answer that is not a success.
pub(crate) fn refused(what: &str, status: u16, body: &[u8]) -> StampedeError {
    let detail = match serde_json::from_slice::<Problem>(body) {
        Ok(Problem { code, detail }) => format!("{code} {}", detail.unwrap_or_default()),
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned(),
    };
    StampedeError::Refused {
        what: what.to_owned(),
        status,
        detail: detail.trim().to_owned(),
        advice: match status {
            401 | 403 => "pass the operators' key with --api-key or DOORBUSTER__ADMIN__API_KEY",
            404 => "is this a Doorbuster API, and does the product exist?",
            400 | 409 | 422 => "look at the options of this command",
            429 | 503 => "look at the API's /readyz, then try again",
            _ => "look at the API's log",
        },
    }
}
