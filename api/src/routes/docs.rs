//! The contract, for machines and for people.
//!
//! The page is our own few lines: the usual viewers load their scripts from elsewhere, and this one
//! must work on a machine with no way out.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::problem::{Problem, ProblemDocument, kind, responses};
use crate::state::Shared;

/// What the document says before its paths, which the router adds.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Doorbuster",
        description = "Flash-sale purchases: the asynchronous way (202 and a tracking ID) and the \
                       synchronous way (the outcome in the answer), one engine.",
    ),
    tags(
        (name = "Purchases", description = "Buying, and finding out what became of it"),
        (name = "Orders", description = "Holding, paying, cancelling, shipping. A hold, paid and shipped:\n\n\
            POST /api/v1/reservations {\"sku\":\"PHONE-15\",\"quantity\":1,\"userId\":\"u-4\"}\n\
            201 {\"reservationId\":\"01a1fd54-603e-8000-8001-d731381e41cc\",\"status\":\"RESERVED\",\"expiresInSeconds\":120,…}\n\n\
            POST /api/v1/orders/checkout {\"reservationId\":\"01a1fd54-603e-8000-8001-d731381e41cc\",\"paymentTransactionId\":\"t-1\",\"paymentMethod\":\"card\",\"shippingAddress\":{\"city\":\"Bern\"}}\n\
            201 {\"orderId\":\"01a1fd54-603e-8000-8001-d731381e41cc\",\"status\":\"CONFIRMED\",…}\n\n\
            POST /api/v1/orders/01a1fd54-603e-8000-8001-d731381e41cc/fulfil (with X-Api-Key)\n\
            200 {\"orderId\":\"01a1fd54-603e-8000-8001-d731381e41cc\",\"status\":\"FULFILLED\",…}"),
        (name = "Products", description = "What is for sale, and how much of it is left"),
        (name = "Sales", description = "What is sold when, and at which price"),
        (name = "Waiting room", description = "First come, first served, and no more than can be served"),
        (name = "Push", description = "What changes is told without being asked for"),
        (name = "Identity", description = "Accounts, sessions and access tokens"),
        (name = "Operators", description = "For operators, and for services with the scope"),
        (name = "Operations", description = "Is it alive, is it ready, what does it measure?"),
    ),
    components(
        schemas(ProblemDocument, crate::problem::Fault, crate::views::SaleStatus),
        responses(
            responses::Invalid,
            responses::Unauthenticated,
            responses::NoSuchProduct,
            responses::NeverIssued,
            responses::NoSuchOrder,
            responses::NoSuchReservation,
            responses::Forbidden,
            responses::InvalidTransition,
            responses::PaymentDeclined,
            responses::BadSignature,
            responses::Refused,
            responses::NoSuchSale,
            responses::NoSuchLine,
            responses::SaleConflict,
            responses::NoSuchLetter,
            responses::LetterConflict,
            responses::SkuTaken,
            responses::StockInUse,
            responses::TooLarge,
            responses::NotJson,
            responses::KeyReused,
            responses::RateLimited,
            responses::UserTaken,
            responses::WrongCredentials,
            responses::UpgradeRequired,
            responses::OtherOrigin,
            responses::NotNow,
            responses::Other,
        ),
    ),
    modifiers(&Schemes),
)]
pub struct Contract;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let key = "The key of a service, or the operators' key of the configuration";
        let key = ApiKeyValue::with_description("X-Api-Key", key);
        let token = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token. With `auth.mode = \"open\"` buyers need none."))
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("accessToken", SecurityScheme::Http(token));
        components.add_security_scheme("apiKey", SecurityScheme::ApiKey(ApiKey::Header(key)));
    }
}

/// The contract as OpenAPI 3.1
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "Operations",
    responses(
        (status = 200, description = "This document", body = serde_json::Value),
        (status = "default", response = responses::Other),
    )
)]
pub async fn openapi(State(app): State<Shared>) -> Result<Response, Problem> {
    let document = app.openapi.get().ok_or_else(|| Problem::plain(kind::INTERNAL))?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], document.clone()).into_response())
}

/// The contract as a page
#[utoipa::path(
    get,
    path = "/docs",
    tag = "Operations",
    responses((status = 200, description = "A page", body = String, content_type = "text/html"))
)]
pub async fn docs() -> Response {
    // The page may run its own lines and ask this server, nothing else.
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                  connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";
    let policy = HeaderValue::from_static(policy);
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(include_str!("docs.html"))).into_response()
}
