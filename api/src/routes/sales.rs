//! Sales: one, and lists.

use axum::Json;
use axum::extract::State;
use shared::domain::{ProductRef, Sale, Timestamp};
use shared::ports::SaleQuery;

use crate::parse::{SalePage, SalePath};
use crate::problem::{Problem, responses};
use crate::sales::Asked;
use crate::state::{App, Shared};
use crate::views::{SaleList, SaleView};

/// Lists sales
///
/// By number, in pages: `next` of one page is `after` of the next.
#[utoipa::path(
    get,
    path = "/api/v1/flash-sales",
    tag = "Sales",
    params(
        ("status" = Option<String>, Query, description = "Only those that are `upcoming`, `live`, `ended` or `cancelled`"),
        ("limit" = Option<u32>, Query, description = "Sales in the page: 1 to 200, else 50"),
        ("after" = Option<i64>, Query, description = "The last sale of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = SaleList),
        (status = 400, response = responses::Invalid),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn list(
    State(app): State<Shared>,
    SalePage(query): SalePage,
) -> Result<Json<SaleList>, Problem> {
    // One more than asked for tells whether there is a next page.
    let more = SaleQuery { limit: query.limit + 1, ..query };
    let Asked { now, mut found } = app.sales.page(&more).await?;
    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let next = found.last().filter(|_| more).map(|sale| sale.id);
    let mut flash_sales = Vec::with_capacity(found.len());
    for sale in &found {
        flash_sales.push(view(&app, sale, now).await?);
    }
    Ok(Json(SaleList { flash_sales, next }))
}

/// Shows a sale
#[utoipa::path(
    get,
    path = "/api/v1/flash-sales/{id}",
    tag = "Sales",
    params(("id" = i64, Path, description = "The number of a sale")),
    responses(
        (status = 200, description = "The sale", body = SaleView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchSale),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn show(
    State(app): State<Shared>,
    SalePath(id): SalePath,
) -> Result<Json<SaleView>, Problem> {
    let Asked { now, found } = app.sales.one(id).await?;
    view(&app, &found, now).await.map(Json)
}

/// A sale as it is shown at `now`.
pub(super) async fn view(app: &App, sale: &Sale, now: Timestamp) -> Result<SaleView, Problem> {
    let product = app.product(&ProductRef::Id(sale.product_id)).await?;
    Ok(SaleView::new(sale, &product, now))
}
