//! Why the shop did not do as it was asked; each text says what to do next.

use crate::client::Broken;
use crate::shop::problem::Problem;

/// The shop could not be asked, or answered something else than its contract says.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// There is nobody to ask.
    #[error("give at least one --url")]
    NoUrl,
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
}

/// The error for an answer that is not a success.
pub(crate) fn refused(what: &str, status: u16, body: &[u8]) -> ShopError {
    let detail = match serde_json::from_slice::<Problem>(body) {
        Ok(Problem { code, detail }) => format!("{code} {}", detail.unwrap_or_default()),
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned(),
    };
    ShopError::Refused {
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
