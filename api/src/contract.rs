//! What is true of every operation of the OpenAPI document, written into it from the tables in code: who
//! may use it, and the problems that the edge answers with.

use shared::domain::Reason;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem, Ref, SecurityRequirement};

use crate::identity::{Rule, rule_of};
use crate::problem::{Kind, kind};
use crate::table::operations;

/// The names of the ways to say who one is.
const SCHEMES: [&str; 2] = ["accessToken", "apiKey"];

/// Completes the document that the routes have written. Where users are believed (`open`), buyers need no
/// credentials.
pub fn complete(openapi: &mut OpenApi, open: bool) {
    for (template, item) in &mut openapi.paths.paths {
        let rules: Vec<_> = operations(item)
            .map(|(method, _)| (method.clone(), rule_of(&method, template)))
            .collect();
        for (method, rule) in rules {
            if let Some(operation) = operation(item, method.as_str()) {
                protect(operation, rule, open);
            }
        }
    }
    openapi.extensions = Some(problem_codes());
}

fn protect(operation: &mut Operation, rule: Rule, open: bool) {
    let scope = match rule {
        Rule::Anyone | Rule::Nobody => return,
        Rule::Buyers(scope) | Rule::Operators(scope) => scope,
    };
    // OpenAPI 3.1 lets any scheme list what it takes (section 4.8.30).
    let mut ways: Vec<_> =
        SCHEMES.iter().map(|scheme| SecurityRequirement::new(*scheme, [scope.as_str()])).collect();
    if open && matches!(rule, Rule::Buyers(_)) {
        ways.push(SecurityRequirement::default());
    }
    operation.security = Some(ways);
    for (status, name) in [("401", "Unauthenticated"), ("403", "Forbidden")] {
        let answer = Ref::from_response_name(name).into();
        operation.responses.responses.entry(status.to_owned()).or_insert(answer);
    }
}

fn operation<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

/// All codes with status and title, for the page and for clients that generate their own list.
fn problem_codes() -> Extensions {
    let reasons = Reason::ALL.iter().map(|&reason| Kind::of_reason(reason));
    let codes: Vec<_> = reasons
        .chain(kind::ALL.iter().copied())
        .map(|kind| {
            serde_json::json!({
                "code": kind.code, "status": kind.status.as_u16(), "title": kind.title,
            })
        })
        .collect();
    Extensions::builder().add("x-problem-codes", codes).build()
}
