//! Why a run could not take place or be judged; each text says what to do next.

use crate::client::InvalidUrl;
use crate::shop::ShopError;

/// The run could not be done. What a run *found* is in the report, not here.
#[derive(Debug, thiserror::Error)]
pub enum StampedeError {
    /// An option is out of range.
    #[error("{0}")]
    Plan(&'static str),
    /// A URL cannot be used.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// The shop does not do as it is asked.
    #[error(transparent)]
    Shop(#[from] ShopError),
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
