//! The audit log as operators are shown it.

use serde::Serialize;
use serde_json::Value;
use shared::ports::AuditEntry;
use utoipa::ToSchema;

use super::text::Moment;

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLogEntry {
    /// Its number; rises with every entry.
    #[schema(minimum = 1)]
    id: i64,
    /// When, by the ledger's clock.
    #[schema(value_type = chrono::DateTime<chrono::Utc>)]
    at: Moment,
    /// Who.
    #[schema(example = "service:warehouse")]
    actor: String,
    /// The client's address; empty where it was done on the servers themselves.
    #[schema(example = "192.0.2.7")]
    origin: String,
    /// What.
    #[schema(example = "stock.move")]
    action: String,
    /// To what.
    #[schema(example = "products/7")]
    subject: String,
    /// What else there is to say, by the kind of action.
    #[schema(value_type = Object)]
    details: Value,
}

impl From<AuditEntry> for AuditLogEntry {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, actor, origin, action, subject, details } = entry;
        Self { id, at: Moment(at), actor, origin, action, subject, details }
    }
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditLog {
    /// Oldest first.
    pub entries: Vec<AuditLogEntry>,
    /// `after` of the next page; null on the last one.
    pub next: Option<i64>,
}

impl AuditLog {
    /// The page of the first `limit` that were found.
    pub fn new(found: Vec<AuditEntry>, limit: usize) -> Self {
        let more = found.len() > limit;
        let entries: Vec<_> = found.into_iter().take(limit).map(AuditLogEntry::from).collect();
        let next = entries.last().filter(|_| more).map(|entry| entry.id);
        Self { entries, next }
    }
}
