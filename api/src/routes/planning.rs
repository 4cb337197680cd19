//! What operators do with sales: plan, change, call off.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::ports::Clock;
use tracing::info;

use super::operators::{detached, look_again};
use super::sales;
use crate::identity::Access;
use crate::parse::sale_schema::{NewSaleBody, SaleChangeBody};
use crate::parse::{JsonBody, NewSaleForm, SaleChangeForm, SalePath};
use crate::problem::{Problem, responses};
use crate::sales::Asked;
use crate::state::Shared;
use crate::views::SaleView;

/// Plans a sale
///
/// From its first sale on a product is sold inside its sales only. One that starts in the past is
/// open at once.
#[utoipa::path(
    post,
    path = "/api/v1/flash-sales",
    tag = "Sales",
    request_body = NewSaleBody,
    responses(
        (status = 201, description = "Planned", body = SaleView, headers(
            ("Location" = String, description = "The sale"),
        )),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchProduct),
        (status = 409, response = responses::SaleConflict),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn create(
    State(app): State<Shared>,
    access: Access,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let form = NewSaleForm::read(&body)?;
    let product = match &form.product {
        Some(named) => Some(app.product(named).await?),
        None => None,
    };
    let new = form.check(product.as_deref(), app.clock.now())?;
    let by = access.actor();
    let sale = detached(&app, move |app| async move {
        let (sale, announcement) = app.ports.ledger.create_sale(&new, &by).await?;
        app.spread(announcement);
        look_again(&app).await;
        info!(sale = %sale.id, ?new, "sale planned");
        Ok(sale)
    })
    .await?;
    let view = sales::view(&app, &sale, app.clock.now()).await?;
    let location = HeaderValue::try_from(format!("/api/v1/flash-sales/{}", sale.id));
    let location = location.map(|location| [(header::LOCATION, location)]).ok();
    Ok((StatusCode::CREATED, location, Json(view)).into_response())
}

/// Changes a sale
///
/// Not one that is over or was called off, and not the start of one that has begun. A quantity or
/// limit that is set anew counts what was taken before.
#[utoipa::path(
    patch,
    path = "/api/v1/flash-sales/{id}",
    tag = "Sales",
    params(("id" = i64, Path, description = "The number of a sale")),
    request_body = SaleChangeBody,
    responses(
        (status = 200, description = "Changed", body = SaleView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchSale),
        (status = 409, response = responses::SaleConflict),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn change(
    State(app): State<Shared>,
    access: Access,
    SalePath(id): SalePath,
    JsonBody(body): JsonBody,
) -> Result<Json<SaleView>, Problem> {
    let form = SaleChangeForm::read(&body)?;
    let Asked { now, found } = app.sales.one(id).await?;
    let change = form.check(&found, now)?;
    let by = access.actor();
    let sale = detached(&app, move |app| async move {
        let (sale, announcement) = app.ports.ledger.change_sale(id, &change, &by).await?;
        app.spread(announcement);
        look_again(&app).await;
        info!(sale = %id, ?change, "sale changed");
        Ok(sale)
    })
    .await?;
    sales::view(&app, &sale, app.clock.now()).await.map(Json)
}

/// Calls a sale off
///
/// What was accepted in it and is not settled yet is refused; what was sold stays sold. Once is as
/// good as twice.
#[utoipa::path(
    post,
    path = "/api/v1/flash-sales/{id}/cancel",
    tag = "Sales",
    params(("id" = i64, Path, description = "The number of a sale")),
    responses(
        (status = 200, description = "Called off", body = SaleView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchSale),
        (status = 409, response = responses::SaleConflict),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn cancel(
    State(app): State<Shared>,
    access: Access,
    SalePath(id): SalePath,
) -> Result<Json<SaleView>, Problem> {
    let by = access.actor();
    let sale = detached(&app, move |app| async move {
        let (sale, announcement) = app.ports.ledger.cancel_sale(id, &by).await?;
        if let Some(announcement) = announcement {
            app.spread(announcement);
            look_again(&app).await;
            info!(sale = %id, "sale called off");
        }
        Ok(sale)
    })
    .await?;
    sales::view(&app, &sale, app.clock.now()).await.map(Json)
}
