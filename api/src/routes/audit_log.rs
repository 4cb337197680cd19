//! Who did what: the log of operators and of what concerns security.

use axum::Json;
use axum::extract::State;

use crate::parse::AuditPage;
use crate::problem::{Problem, responses};
use crate::state::Shared;
use crate::views::AuditLog;

/// Lists the audit log
///
/// What operators and services changed, and logins, oldest first, in pages: `next` of one page is `after`
/// of the next. Entries are only ever added.
#[utoipa::path(
    get,
    path = "/api/v1/admin/audit-log",
    tag = "Operators",
    params(
        ("actor" = Option<String>, Query, description = "Only those of this actor, such as user:zoe, service:warehouse, admin, cli:root"),
        ("action" = Option<String>, Query, description = "Only those of this kind, such as stock.move"),
        ("subject" = Option<String>, Query, description = "Only those about this, such as products/7"),
        ("limit" = Option<u32>, Query, description = "Entries in the page: 1 to 200, else 50"),
        ("after" = Option<i64>, Query, description = "The last entry of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = AuditLog),
        (status = 400, response = responses::Invalid),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn list(
    State(app): State<Shared>,
    AuditPage(mut query): AuditPage,
) -> Result<Json<AuditLog>, Problem> {
    let limit = query.limit;
    // One more than asked for tells whether there is a next page.
    query.limit += 1;
    let found = app.ports.ledger.audit_log(&query).await?;
    Ok(Json(AuditLog::new(found, limit)))
}
