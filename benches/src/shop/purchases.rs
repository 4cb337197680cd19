//! Purchases, one to prepare a load with and many to look at.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::client::{Line, Request};
use crate::shop::Shop;
use crate::shop::error::{ShopError, refused};

const SYNC: &str = "/api/v1/sync/purchase";
const QUERY: &str = "/api/v1/purchases/query";
/// The contract's limit of one query.
pub(crate) const IDS_MAX: usize = 500;
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bought {
    tracking_id: Uuid,
}

impl Shop {
    /// Buys one unit on the spot, under an `Idempotency-Key`; its tracking ID.
    pub(crate) async fn buy(&mut self, product: i64, user_id: &str) -> Result<Uuid, ShopError> {
        let what = "a purchase (POST /api/v1/sync/purchase)";
        let body = format!(r#"{{"productId":{product},"quantity":1,"userId":"{user_id}"}}"#);
        let headers = [("Idempotency-Key", user_id)];
        let bought: Bought = self.ask_with(what, ("POST", SYNC), &headers, body.as_bytes()).await?;
        Ok(bought.tracking_id)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Query<'a> {
    tracking_ids: &'a [Uuid],
}

/// What a query says of each purchase that the shop knows.
#[derive(Deserialize)]
pub(crate) struct Found<'a> {
    #[serde(borrow)]
    pub(crate) purchases: Vec<Purchase<'a>>,
}

/// As much of a purchase as says how it ended.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Purchase<'a> {
    #[serde(default)]
    pub(crate) tracking_id: Uuid,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default, borrow)]
    reason: Option<Cow<'a, str>>,
}

impl Purchase<'_> {
    /// False while it is queued, or waits for an operator.
    pub(crate) fn is_decided(&self) -> bool {
        !matches!(&*self.status, "QUEUED" | "PARKED")
    }

    /// The status, or the reason of a refusal.
    pub(crate) fn ending(&self) -> &str {
        self.reason.as_deref().unwrap_or(&self.status)
    }
}

/// Asks for up to 500 purchases at once and gives the answer to `read`; `None` if the shop is too
/// busy or away, after a pause.
pub(crate) async fn query<T>(
    line: &mut Line,
    ids: &[Uuid],
    read: impl FnOnce(Found<'_>) -> T,
) -> Result<Option<T>, ShopError> {
    let what = "POST /api/v1/purchases/query";
    let unreadable = |source| ShopError::Answer { what: what.to_owned(), source };
    let body = serde_json::to_vec(&Query { tracking_ids: ids }).map_err(unreadable)?;
    let request = Request { method: "POST", path: QUERY, headers: &[], body: &body };
    match line.call(&request, PATIENCE).await {
        Ok(answer) if answer.status == 200 => {
            Ok(Some(read(serde_json::from_slice(answer.body).map_err(unreadable)?)))
        }
        Ok(answer) if matches!(answer.status, 429 | 500..=599) => {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(None)
        }
        Ok(answer) => Err(refused(what, answer.status, answer.body)),
        Err(_) => {
            line.back_off().await;
            Ok(None)
        }
    }
}
