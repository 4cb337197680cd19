//! Every route on one screen.

use std::sync::Arc;

use axum::http::Method;
use axum::routing::MethodRouter;
use tracing::error;
use utoipa::OpenApi;
use utoipa::openapi;
use utoipa_axum::router::UtoipaMethodRouter;
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
use crate::table::{RouteTable, operations};

/// One path: what is documented of it, and its handlers.
type Path = UtoipaMethodRouter<Shared>;

/// What is not listed here is neither served nor documented.
fn paths() -> Vec<Path> {
    vec![
        // Purchases
        routes!(async_purchase::submit),
        routes!(sync_purchase::purchase),
        routes!(buy::buy),
        routes!(purchases::show),
        routes!(purchases::query),
        routes!(live::purchase),
        // Holds, checkout, orders
        routes!(reservations::hold),
        routes!(reservations::show, reservations::release),
        routes!(orders::create, orders::list),
        routes!(payments::check_out),
        routes!(orders::show),
        routes!(orders::list_of_user),
        routes!(orders::cancel),
        routes!(orders::fulfil),
        routes!(payments::webhook),
        // Products
        routes!(products::list, operators::create),
        routes!(products::show, operators::change),
        routes!(products::availability),
        routes!(stock::stock),
        routes!(live::stock),
        routes!(operators::restock),
        // Sales
        routes!(sales::list, planning::create),
        routes!(sales::show, planning::change),
        routes!(planning::cancel),
        // Waiting room
        routes!(waiting_room::join),
        routes!(waiting_room::leave),
        routes!(waiting_room::position),
        routes!(waiting_room::events),
        routes!(waiting_room::position_in_sale),
        // Dead letters
        routes!(dead_letters::list),
        routes!(dead_letters::replay_many),
        routes!(dead_letters::discard_many),
        routes!(dead_letters::show),
        routes!(dead_letters::replay),
        routes!(dead_letters::discard),
        // Push
        routes!(live::connect),
        // Identity
        routes!(auth::register),
        routes!(auth::login),
        routes!(auth::refresh),
        routes!(auth::logout),
        // Operations
        routes!(operators::audit),
        routes!(audit_log::list),
        routes!(queue::status),
        routes!(health::livez),
        routes!(health::readyz),
        routes!(health::metrics),
        routes!(docs::openapi),
        routes!(docs::docs),
        // The demo shop
        routes!(page::page),
        routes!(page::file),
    ]
}

/// The routes over `app`, and what surrounds them.
pub fn router(app: &Shared) -> Edge {
    let mut openapi = docs::Contract::openapi();
    let paths = paths().into_iter().map(|path| documented(path, &mut openapi));
    let routes: Vec<_> = paths
        .map(|(template, methods, handlers)| {
            (template, methods, handlers.with_state(Arc::clone(app)))
        })
        .collect();
    contract::complete(&mut openapi, app.gatekeeper.open());
    match openapi.to_json() {
        Ok(document) => drop(app.openapi.set(document.into())),
        Err(error) => error!(%error, "the OpenAPI document cannot be written"),
    }
    Edge {
        table: RouteTable::new(routes),
        gatekeeper: Arc::clone(&app.gatekeeper),
        proxies: TrustedProxies(app.http.trusted_proxies.clone()),
        limits: Arc::clone(&app.limits),
        secure: !app.http.tls_certificate.as_os_str().is_empty(),
        timeout: app.http.request_timeout,
    }
}

/// Writes a path into the document; gives its template, its methods, and its handlers.
fn documented(
    (schemas, paths, handlers): Path,
    openapi: &mut openapi::OpenApi,
) -> (String, Vec<Method>, MethodRouter<Shared>) {
    openapi.components.get_or_insert_default().schemas.extend(schemas);
    let (mut template, mut methods) = (String::new(), vec![]);
    for (path, item) in paths.paths {
        methods.extend(operations(&item).map(|(method, _)| method));
        template.clone_from(&path);
        openapi.paths.paths.insert(path, item);
    }
    (template, methods, handlers)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_path_stands_once_and_has_one_parameter_at_most() {
        let mut known = HashSet::new();
        for (_, paths, _) in paths() {
            let [template] = &paths.paths.into_keys().collect::<Vec<_>>()[..] else {
                panic!("two paths in one line")
            };
            assert!(template.matches('{').count() <= 1, "{template}");
            assert!(known.insert(template.clone()), "{template} stands twice");
        }
    }
}
