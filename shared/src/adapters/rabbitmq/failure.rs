//! Why a publish was not confirmed.

use std::time::Duration;

use crate::ports::{BusError, QueueError};

#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// Not connected, or not any more.
    Away(String),
    /// The broker stopped all publishers: it is short of memory or disk.
    Blocked,
    /// Nacked: the queue is full.
    Full,
    /// Returned: no queue is bound.
    Unroutable,
    /// Neither confirmed nor refused in time.
    Timeout(Duration),
}

/// Every label of the metric.
const KINDS: [&str; 5] = ["away", "blocked", "full", "unroutable", "timeout"];

impl Failure {
    /// Begins to count at zero: a counter that appears with its first event has not risen.
    pub(super) fn begin() {
        for kind in KINDS {
            metrics::counter!("doorbuster_publish_failures_total", "kind" => kind).increment(0);
        }
    }

    /// The label of the metric.
    fn kind(&self) -> &'static str {
        match self {
            Self::Away(_) => "away",
            Self::Blocked => "blocked",
            Self::Full => "full",
            Self::Unroutable => "unroutable",
            Self::Timeout(_) => "timeout",
        }
    }

    pub(super) fn count(&self) {
        metrics::counter!("doorbuster_publish_failures_total", "kind" => self.kind()).increment(1);
    }
}

impl From<Failure> for QueueError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Away(why) => Self::Unavailable(why),
            Failure::Timeout(limit) => Self::Unavailable(format!("not confirmed in {limit:?}")),
            Failure::Blocked => Self::Refused("publishers are blocked".into()),
            Failure::Full => Self::Refused("queue full".into()),
            Failure::Unroutable => Self::Refused("unroutable".into()),
        }
    }
}

impl From<Failure> for BusError {
    fn from(failure: Failure) -> Self {
        Self(QueueError::from(failure).to_string())
    }
}
