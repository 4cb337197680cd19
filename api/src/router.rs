//! Every route on one screen.

use std::sync::Arc;

use tracing::error;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::client_addr::TrustedProxies;
use crate::contract;
use crate::edge::Edge;
use crate::routes::{
    async_purchase, audit_log, auth, buy, dead_letters, docs, health, live, operators, orders,
    page, payments, planning, products, purchases, queue, reservations, sales, stock,
    sync_purchase, waiting_room,
};
use crate::state::Shared;
use crate::table::RouteTable;

/// The routes over `app`. What is not listed here is neither served nor documented.
pub fn router(app: Shared) -> Edge {
    let (routes, mut openapi) = OpenApiRouter::with_openapi(docs::Contract::openapi())
        // Purchases
        .routes(routes!(async_purchase::submit))
        .routes(routes!(sync_purchase::purchase))
        .routes(routes!(buy::buy))
        .routes(routes!(purchases::show))
        .routes(routes!(purchases::query))
        .routes(routes!(live::purchase))
        // Holds, checkout, orders
        .routes(routes!(reservations::hold))
        .routes(routes!(reservations::show, reservations::release))
        .routes(routes!(orders::create, orders::list))
        .routes(routes!(payments::check_out))
        .routes(routes!(orders::show))
        .routes(routes!(orders::list_of_user))
        .routes(routes!(orders::cancel))
        .routes(routes!(orders::fulfil))
        .routes(routes!(payments::webhook))
        // Products
        .routes(routes!(products::list, operators::create))
        .routes(routes!(products::show, operators::change))
        .routes(routes!(products::availability))
        .routes(routes!(stock::stock))
        .routes(routes!(live::stock))
        .routes(routes!(operators::restock))
        // Sales
        .routes(routes!(sales::list, planning::create))
        .routes(routes!(sales::show, planning::change))
        .routes(routes!(planning::cancel))
        // Waiting room
        .routes(routes!(waiting_room::join))
        .routes(routes!(waiting_room::leave))
        .routes(routes!(waiting_room::position))
        .routes(routes!(waiting_room::events))
        .routes(routes!(waiting_room::position_in_sale))
        // Dead letters
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::replay_many))
        .routes(routes!(dead_letters::discard_many))
        .routes(routes!(dead_letters::show))
        .routes(routes!(dead_letters::replay))
        .routes(routes!(dead_letters::discard))
        // Push
        .routes(routes!(live::connect))
        // Identity
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        // Operations
        .routes(routes!(operators::audit))
        .routes(routes!(audit_log::list))
        .routes(routes!(queue::status))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(docs::openapi))
        .routes(routes!(docs::docs))
        // The demo shop
        .routes(routes!(page::page))
        .routes(routes!(page::file))
        .split_for_parts();

    contract::complete(&mut openapi, app.gatekeeper.open());
    match openapi.to_json() {
        Ok(document) => drop(app.openapi.set(document.into())),
        Err(error) => error!(%error, "the OpenAPI document cannot be written"),
    }
    Edge {
        table: RouteTable::new(&openapi.paths.paths),
        gatekeeper: Arc::clone(&app.gatekeeper),
        proxies: TrustedProxies(app.http.trusted_proxies.clone()),
        limits: Arc::clone(&app.limits),
        secure: !app.http.tls_certificate.as_os_str().is_empty(),
        timeout: app.http.request_timeout,
        routes: routes.with_state(app),
    }
}
