//! Every route by its path: who may use it, what answers it, and its metrics. A request is looked up once.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use tower::Service;
use tracing::error;
use utoipa::openapi::PathItem;
use utoipa::openapi::path::Operation;

use crate::identity::{Rule, rule_of};
use crate::meter::Meter;
use crate::problem::{Problem, kind};

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
    handlers: MethodRouter,
    /// The name of its template's `{parameter}`; empty without one.
    parameter: Arc<str>,
}

/// What stands in a path for the `{parameter}` of its template, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The template's name for it.
    pub name: Arc<str>,
    /// Percent-encoded still.
    pub text: Box<str>,
}

impl RouteTable {
    /// The table of these route templates, each with one `{parameter}` at most; of the methods that they have
    /// handlers for; and of the handlers.
    pub fn new(routes: impl IntoIterator<Item = (String, Vec<Method>, MethodRouter)>) -> Self {
        let mut known = matchit::Router::new();
        for (template, methods, handlers) in routes {
            let rules = methods.into_iter().map(|method| {
                let rule = rule_of(&method, &template);
                if rule == Rule::Nobody {
                    error!(%method, template, "a route has no rule, and answers nobody");
                }
                (method, rule)
            });
            let rules = rules.collect();
            let route = Route {
                meter: Meter::new(&template),
                rules,
                handlers,
                parameter: named(&template),
            };
            if let Err(error) = known.insert(template.as_str(), route) {
                error!(%error, template, "a route cannot be told apart");
            }
        }
        let nothing = any(async || Problem::plain(kind::NOT_FOUND));
        let unmatched = Route {
            meter: Meter::unmatched(),
            rules: vec![],
            handlers: nothing,
            parameter: named(""),
        };
        Self { known, unmatched }
    }

    /// The route of a path, and what stands there for its template's parameter.
    pub fn at(&self, path: &str) -> (&Route, Option<Parameter>) {
        let Ok(found) = self.known.at(path) else { return (&self.unmatched, None) };
        let parameter = found.params.iter().next().map(|(_, text)| Parameter {
            name: Arc::clone(&found.value.parameter),
            text: text.into(),
        });
        (found.value, parameter)
    }
}

impl Route {
    /// Who may use it with this method; `None` where it has no handler for it.
    pub fn rule(&self, method: &Method) -> Option<Rule> {
        // HEAD is answered by the handler of GET.
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.rules.iter().find(|(known, _)| known == method).map(|(_, rule)| *rule)
    }

    /// Answers, 405 where there is no handler for the method.
    pub fn answer(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        self.handlers.clone().call(request)
    }
}

/// The name of a template's `{parameter}`; empty without one.
fn named(template: &str) -> Arc<str> {
    let parameter = template.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    parameter.map_or("", |(name, _)| name).into()
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
