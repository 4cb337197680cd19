//! The stock of a product as one number.

use axum::Json;
use axum::extract::State;

use crate::parse::ProductPath;
use crate::problem::{Problem, responses};
use crate::state::Shared;
use crate::views::StockView;

/// Shows the stock of a product
#[utoipa::path(
    get,
    path = "/api/v1/sync/stock/{product}",
    tag = "Products",
    params(("product" = String, Path, description = "A product number or a SKU")),
    responses(
        (status = 200, description = "Units that can still be bought", body = StockView),
        (status = 400, response = responses::Invalid),
        (status = 404, response = responses::NoSuchProduct),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn stock(
    State(app): State<Shared>,
    ProductPath(product): ProductPath,
) -> Result<Json<StockView>, Problem> {
    let product_id = app.product(&product).await?.id;
    let stock = app.levels.of(product_id).await?.level.counts.available();
    Ok(Json(StockView { product_id, stock }))
}
