//! Products and what can be had of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use shared::domain::{Catalogue, Product};
use shared::ports::Clock;

use crate::parse::{Page, ProductPath};
use crate::problem::{Problem, kind, responses};
use crate::state::{App, Shared};
use crate::views::{Availability, ProductPage, ProductView};

/// Lists products
///
/// By number, in pages: `next` of one page is `after` of the next.
#[utoipa::path(
    get,
    path = "/api/v1/products",
    tag = "Products",
    params(
        ("limit" = Option<u32>, Query, description = "Products in the page: 1 to 200, else 50"),
        ("after" = Option<i64>, Query, description = "The last product of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = ProductPage),
        (status = 400, response = responses::Invalid),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn list(State(app): State<Shared>, page: Page) -> Result<Json<ProductPage>, Problem> {
    let catalogue = catalogue(&app)?;
    // One more than asked for tells whether there is a next page.
    let mut found: Vec<_> = catalogue.products_after(page.after).take(page.limit + 1).collect();
    let more = found.len() > page.limit;
    found.truncate(page.limit);
    let next = found.last().filter(|_| more).map(|product| product.id);
    let ids: Vec<_> = found.iter().map(|product| product.id).collect();
    let levels = app.levels.of_all(&ids).await?;
    let now = app.clock.now();
    let shown = found.iter().zip(levels);
    let products =
        shown.map(|(product, seen)| ProductView::new(&catalogue, product, seen, now)).collect();
    Ok(Json(ProductPage { products, next }))
}

/// Shows a product
#[utoipa::path(
    get,
    path = "/api/v1/products/{product}",
    tag = "Products",
    params(("product" = String, Path, description = "A product number or a SKU")),
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchProduct),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn show(
    State(app): State<Shared>,
    ProductPath(product): ProductPath,
) -> Result<Json<ProductView>, Problem> {
    let product = app.product(&product).await?;
    view(&app, &product).await.map(Json)
}

/// Shows what can be had of a product
#[utoipa::path(
    get,
    path = "/api/v1/products/{product}/availability",
    tag = "Products",
    params(("product" = String, Path, description = "A product number or a SKU")),
    responses(
        (status = 200, description = "Price and stock right now", body = Availability),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchProduct),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn availability(
    State(app): State<Shared>,
    ProductPath(product): ProductPath,
) -> Result<Response, Problem> {
    let product = app.product(&product).await?;
    availability_of(&app, product).await
}

/// A product as it is shown right now.
pub(super) async fn view(app: &App, product: &Product) -> Result<ProductView, Problem> {
    let seen = app.levels.of(product.id).await?;
    Ok(ProductView::new(&*catalogue(app)?, product, seen, app.clock.now()))
}

/// What can be had of a product right now.
pub(super) async fn availability_of(app: &App, product: Arc<Product>) -> Result<Response, Problem> {
    let seen = app.levels.of(product.id).await?;
    let catalogue = catalogue(app)?;
    let offer = catalogue.offer(&product, app.clock.now()).ok();
    Ok(app.shown.answer(product, offer, seen))
}

fn catalogue(app: &App) -> Result<Arc<Catalogue>, Problem> {
    let missing = || Problem::new(kind::UNAVAILABLE, "The catalogue is not loaded yet.");
    app.boards.catalogue.current().ok_or_else(missing)
}
