//! What operators do: add and change products, move stock, audit.
//!
//! Writes run in a task of their own: a client that goes away must not leave a transaction half
//! way.

use std::future::Future;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::pipeline::audit::AuditReport;
use tracing::{debug, info};

use super::products;
use crate::identity::Access;
use crate::parse::schema::{NewProductBody, ProductChangeBody, RestockBody};
use crate::parse::{ChangeForm, JsonBody, ProductPath, new_product, restock as parse_restock};
use crate::problem::{Problem, kind, responses};
use crate::state::{App, Shared};
use crate::views::{Audit, Availability, ProductView};

/// Adds a product
#[utoipa::path(
    post,
    path = "/api/v1/products",
    tag = "Operators",
    request_body = NewProductBody,
    responses(
        (status = 201, description = "Added", body = ProductView, headers(
            ("Location" = String, description = "The product"),
        )),
        (status = 400, response = responses::Invalid),
        (status = 409, response = responses::SkuTaken),
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
    let new = new_product(&body)?;
    let by = access.actor();
    let product = detached(&app, move |app| async move {
        let (product, announcement) = app.ports.ledger.create_product(&new, &by).await?;
        app.spread(announcement);
        look_again(&app).await;
        info!(product = %product.id, sku = %product.sku, total = new.total, "product added");
        Ok(product)
    })
    .await?;
    let view = products::view(&app, &product).await?;
    let location = HeaderValue::try_from(format!("/api/v1/products/{}", product.id));
    let location = location.map(|location| [(header::LOCATION, location)]).ok();
    Ok((StatusCode::CREATED, location, Json(view)).into_response())
}

/// Changes a product
#[utoipa::path(
    patch,
    path = "/api/v1/products/{product}",
    tag = "Operators",
    params(("product" = String, Path, description = "A product number or a SKU")),
    request_body = ProductChangeBody,
    responses(
        (status = 200, description = "Changed", body = ProductView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchProduct),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn change(
    State(app): State<Shared>,
    access: Access,
    ProductPath(named): ProductPath,
    JsonBody(body): JsonBody,
) -> Result<Json<ProductView>, Problem> {
    let form = ChangeForm::read(&body)?;
    let change = form.check(&*app.product(&named).await?)?;
    let by = access.actor();
    let product = detached(&app, move |app| async move {
        let (product, announcement) = app.ports.ledger.change_product(&named, &change, &by).await?;
        app.spread(announcement);
        look_again(&app).await;
        info!(product = %product.id, ?change, "product changed");
        Ok(product)
    })
    .await?;
    products::view(&app, &product).await.map(Json)
}

/// Moves stock
///
/// Adds units, or withdraws unsold ones; never below what is held or sold.
#[utoipa::path(
    post,
    path = "/api/v1/products/{product}/restock",
    tag = "Operators",
    params(("product" = String, Path, description = "A product number or a SKU")),
    request_body = RestockBody,
    responses(
        (status = 200, description = "Moved", body = Availability),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchProduct),
        (status = 409, response = responses::StockInUse),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn restock(
    State(app): State<Shared>,
    access: Access,
    ProductPath(named): ProductPath,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let delta = parse_restock(&body)?;
    let product = app.product(&named).await?;
    let id = product.id;
    let by = access.actor();
    detached(&app, move |app| async move {
        let announcement = app.ports.ledger.restock(&named, delta, &by).await?;
        app.spread(announcement);
        info!(product = %id, delta, "stock moved");
        Ok(())
    })
    .await?;
    products::availability_of(&app, product).await
}

/// Audits
///
/// Does the ledger add up, and does the gate agree with it? A gate that differs is looked at again for
/// two seconds: in a live sale claims are under way. Reads all orders.
#[utoipa::path(
    get,
    path = "/api/v1/admin/audit",
    tag = "Operators",
    responses(
        (status = 200, description = "The account", body = Audit),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn audit(State(app): State<Shared>) -> Result<Json<Arc<AuditReport>>, Problem> {
    Ok(Json(app.audits.submit(()).await??))
}

/// Runs `work` to its end, whether or not the client stays.
pub(super) async fn detached<T, W, F>(app: &Shared, work: W) -> Result<T, Problem>
where
    T: Send + 'static,
    W: FnOnce(Shared) -> F,
    F: Future<Output = Result<T, Problem>> + Send + 'static,
{
    let task = tokio::spawn(work(Arc::clone(app)));
    task.await.unwrap_or_else(|_| Err(Problem::plain(kind::INTERNAL)))
}

/// Brings the own catalogue up to date, so that the client sees what it wrote.
pub(super) async fn look_again(app: &App) {
    if let Err(error) = app.boards.catalogue.look_again(&*app.ports.ledger).await {
        debug!(%error, "the next heartbeat will bring the catalogue");
    }
}
