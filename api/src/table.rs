//! What is known of every route before its handler is: who may use it, and its metrics.

use axum::http::Method;
use tracing::error;
use utoipa::openapi::PathItem;
use utoipa::openapi::path::Operation;

use crate::identity::{Rule, rule_of};
use crate::meter::Meter;

/// The routes by path.
pub struct RouteTable {
    known: matchit::Router<Route>,
    unmatched: Route,
}

/// One path.
pub struct Route {
    /// Counts and measures its requests.
    pub meter: Meter,
    rules: Vec<(Method, Rule)>,
}

impl RouteTable {
    /// The table of these route templates and the methods that they have handlers for.
    pub fn new<'a>(paths: impl IntoIterator<Item = (&'a String, &'a PathItem)>) -> Self {
        let mut known = matchit::Router::new();
        for (template, item) in paths {
            let rules = operations(item).map(|(method, _)| {
                let rule = rule_of(&method, template);
                if rule == Rule::Nobody {
                    error!(%method, template, "a route has no rule, and answers nobody");
                }
                (method, rule)
            });
            let route = Route { meter: Meter::new(template), rules: rules.collect() };
            // They are routes of the router, which matches in the same way.
            if let Err(error) = known.insert(template, route) {
                error!(%error, template, "a route cannot be told apart");
            }
        }
        Self { known, unmatched: Route { meter: Meter::unmatched(), rules: vec![] } }
    }

    /// The route of a path.
    pub fn at(&self, path: &str) -> &Route {
        self.known.at(path).map_or(&self.unmatched, |found| found.value)
    }
}

impl Route {
    /// Who may use it with this method; `None` where it has no handler for it.
    pub fn rule(&self, method: &Method) -> Option<Rule> {
        // HEAD is answered by the handler of GET.
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.rules.iter().find(|(known, _)| known == method).map(|(_, rule)| *rule)
    }
}

/// The operations of a path, by method.
pub fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}
