//! Query parameters.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use shared::domain::{Phase, ProductId, SaleId, Status, UserId};
use shared::ports::{AuditQuery, LetterId, LetterQuery, OrderQuery, SaleQuery};

use super::{headers, path};
use crate::identity::Access;
use crate::problem::{Faults, Problem};
use crate::state::Shared;

/// Products or orders in a page where the client does not say.
const PAGE_DEFAULT: usize = 50;
/// Products or orders in a page at most.
const PAGE_MAX: usize = 200;

/// How long the answer is held back for an outcome: `?wait=`, else `Prefer: wait=`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wait {
    /// At most so long; zero answers at once.
    pub limit: Duration,
    /// The wish came as a preference, which the answer confirms.
    pub preferred: bool,
}

impl FromRequestParts<Shared> for Wait {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        if let Some(text) = parameters(parts)?.get("wait") {
            let fault = "must be whole seconds, 30 at most";
            let limit = headers::wait_of(text).ok_or_else(|| Faults::one("wait", fault))?;
            return Ok(Self { limit, preferred: false });
        }
        let preferred = headers::preferred_wait(&parts.headers);
        Ok(Self { limit: preferred.unwrap_or_default(), preferred: preferred.is_some() })
    }
}

/// A page of products: `?limit=` of them with numbers above `?after=`.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// 1 to 200, 50 where the client does not say.
    pub limit: usize,
    /// The last product of the page before; 0 for the first page.
    pub after: ProductId,
}

impl FromRequestParts<Shared> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let parameters = parameters(parts)?;
        let mut faults = Faults::default();
        let limit = limit(&parameters, &mut faults);
        let after = after(&parameters, "a product", &mut faults);
        faults.or(Some(Self { limit, after: ProductId(after) })).map_err(Problem::from)
    }
}

/// A page of a user's orders: `?limit=` of them issued before `?after=`. The user is named by the
/// path or by `?userId=`.
#[derive(Debug)]
pub struct OrderPage(pub OrderQuery);

impl FromRequestParts<Shared> for OrderPage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let access = Access::from_request_parts(parts, app).await?;
        let in_path = path::optional(parts, "userId");
        let parameters = parameters(parts)?;
        let mut faults = Faults::default();
        let user = in_path.as_deref().or_else(|| parameters.get("userId"));
        let user_id = user.and_then(|text| {
            UserId::parse(text).map_err(|error| faults.note("userId", error.0)).ok()
        });
        let user_id = access.owner(user_id)?;
        if user_id.is_none() {
            faults.note_missing("userId");
        }
        let status = parameters.get("status").and_then(|name| {
            let status = Status::from_name(&name.to_ascii_uppercase());
            if status.is_none() {
                let names: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
                faults.note("status", format!("must be one of {}", names.join(", ")));
            }
            status
        });
        let after = parameters.get("after").and_then(|text| {
            let after = text.parse().ok();
            if after.is_none() {
                faults.note("after", "must be the ID of an order");
            }
            after
        });
        let limit = limit(&parameters, &mut faults);
        let query = user_id.map(|user_id| OrderQuery { user_id, status, after, limit });
        Ok(Self(faults.or(query)?))
    }
}

fn limit(parameters: &Parameters, faults: &mut Faults) -> usize {
    match parameters.get("limit").map(str::parse) {
        None => PAGE_DEFAULT,
        Some(Ok(limit @ 1..=PAGE_MAX)) => limit,
        Some(_) => {
            faults.note("limit", format!("must be an integer from 1 to {PAGE_MAX}"));
            PAGE_DEFAULT
        }
    }
}

/// The number of the last thing of the page before; 0 for the first page.
fn after(parameters: &Parameters, what: &str, faults: &mut Faults) -> i64 {
    match parameters.get("after").map(str::parse) {
        None => 0,
        Some(Ok(after @ 0..)) => after,
        Some(_) => {
            faults.note("after", format!("must be the number of {what}"));
            0
        }
    }
}

/// The query's parameters by name. Unknown ones are ignored.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

pub(super) fn parameters(parts: &Parts) -> Result<Parameters, Faults> {
    if parts.uri.query().is_none() {
        return Ok(Parameters(vec![]));
    }
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    query
        .map(|Query(pairs)| Parameters(pairs))
        .map_err(|_| Faults::one("query", "must be percent-encoded UTF-8"))
}

/// A page of sales: `?limit=` of those in phase `?status=` with numbers above `?after=`.
#[derive(Debug, Clone)]
pub struct SalePage(pub SaleQuery);

impl FromRequestParts<Shared> for SalePage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let parameters = parameters(parts)?;
        let mut faults = Faults::default();
        let phase = parameters.get("status").and_then(|name| {
            let phase = Phase::ALL.into_iter().find(|phase| phase.as_str() == name);
            if phase.is_none() {
                let names = Phase::ALL.map(Phase::as_str).join(", ");
                faults.note("status", format!("must be one of {names}"));
            }
            phase
        });
        let limit = limit(&parameters, &mut faults);
        let after = after(&parameters, "a sale", &mut faults);
        let query = SaleQuery { phase, after: SaleId(after), limit };
        faults.or(Some(Self(query))).map_err(Problem::from)
    }
}

/// A page of dead letters: `?limit=` of those with numbers above `?after=`. `?state=all` lists those
/// that were dealt with too.
#[derive(Debug, Clone, Copy)]
pub struct LetterPage(pub LetterQuery);

impl FromRequestParts<Shared> for LetterPage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let parameters = parameters(parts)?;
        let mut faults = Faults::default();
        let open = match parameters.get("state") {
            None | Some("open") => true,
            Some("all") => false,
            Some(_) => {
                faults.note("state", "must be one of open, all");
                true
            }
        };
        let limit = limit(&parameters, &mut faults);
        let after = after(&parameters, "a dead letter", &mut faults);
        let query = LetterQuery { open, after: LetterId(after), limit };
        faults.or(Some(Self(query))).map_err(Problem::from)
    }
}

/// A page of the audit log: `?limit=` of the entries with numbers above `?after=`, of `?actor=`, `?action=`
/// and `?subject=`.
#[derive(Debug, Clone)]
pub struct AuditPage(pub AuditQuery);

impl FromRequestParts<Shared> for AuditPage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let parameters = parameters(parts)?;
        let mut faults = Faults::default();
        let limit = limit(&parameters, &mut faults);
        let after = after(&parameters, "an entry", &mut faults);
        let mut text = |name: &'static str| {
            let text = parameters.get(name)?;
            if text.chars().any(char::is_control) {
                faults.note(name, "must not contain control characters");
            }
            Some(text.to_owned())
        };
        let (actor, action, subject) = (text("actor"), text("action"), text("subject"));
        let query = AuditQuery { after, actor, action, subject, limit };
        faults.or(Some(Self(query))).map_err(Problem::from)
    }
}
