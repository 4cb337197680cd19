//! What is true of every operation of the OpenAPI document, written into it from tables in code: its name, who
//! may use it, the problems that the edge answers with, and where an answer leads.

use shared::domain::Reason;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem, Ref, RefOr, SecurityRequirement};

use crate::identity::{Rule, rule_of};
use crate::problem::{Kind, kind};
use crate::table::operations;

/// The names of the ways to say who one is.
const SCHEMES: [&str; 2] = ["accessToken", "apiKey"];

/// Where answers lead: operation and status; the field that names what was made; operations on it and the
/// parameter that it is there.
type Leads = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const ON_ORDER: &[(&str, &str)] = &[
    ("getOrdersByOrderId", "orderId"),
    ("postOrdersByOrderIdCancel", "orderId"),
    ("postOrdersByOrderIdFulfil", "orderId"),
];

const LEADS: &[Leads] = &[
    ("postAsyncPurchase", "202", "trackingId", &[("getPurchasesByTrackingId", "trackingId")]),
    ("postSyncPurchase", "200", "orderId", ON_ORDER),
    ("postOrders", "201", "orderId", ON_ORDER),
    (
        "postReservations",
        "201",
        "reservationId",
        &[
            ("getReservationsByReservationId", "reservationId"),
            ("deleteReservationsByReservationId", "reservationId"),
        ],
    ),
    (
        "postProducts",
        "201",
        "productId",
        &[
            ("getProductsByProduct", "product"),
            ("patchProductsByProduct", "product"),
            ("getProductsByProductAvailability", "product"),
            ("postProductsByProductRestock", "product"),
            ("getSyncStockByProduct", "product"),
            ("postBuyByProduct", "product"),
        ],
    ),
    (
        "postFlashSales",
        "201",
        "id",
        &[
            ("getFlashSalesById", "id"),
            ("patchFlashSalesById", "id"),
            ("postFlashSalesByIdCancel", "id"),
        ],
    ),
];

/// Completes the document that the routes have written. Where users are believed (`open`), buyers need no
/// credentials.
pub fn complete(openapi: &mut OpenApi, open: bool) {
    for (template, item) in &mut openapi.paths.paths {
        let rules: Vec<_> = operations(item)
            .map(|(method, _)| (method.clone(), rule_of(&method, template)))
            .collect();
        for (method, rule) in rules {
            if let Some(operation) = operation(item, method.as_str()) {
                let name = name(method.as_str(), template);
                lead(operation, &name);
                operation.operation_id = Some(name);
                protect(operation, rule, open);
            }
        }
    }
    openapi.extensions = Some(problem_codes());
}

/// `getPurchasesByTrackingId` of `GET /api/v1/purchases/{trackingId}`: no two are alike, and clients that are
/// generated have methods of this name.
fn name(method: &str, template: &str) -> String {
    let mut name = method.to_ascii_lowercase();
    if template == "/" {
        name.push_str("Root");
    }
    let path = template.strip_prefix("/api").unwrap_or(template);
    for part in path.strip_prefix("/v1").unwrap_or(path).split(['/', '-', '.']) {
        let inner = part.trim_matches(['{', '}']);
        if inner.len() < part.len() {
            name.push_str("By");
        }
        let mut letters = inner.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

/// Says where the answer leads.
fn lead(operation: &mut Operation, name: &str) {
    for (_, status, field, targets) in LEADS.iter().filter(|(from, ..)| *from == name) {
        let Some(RefOr::T(response)) = operation.responses.responses.get_mut(*status) else {
            continue;
        };
        for (target, parameter) in *targets {
            let made = format!("$response.body#/{field}");
            let link = Link::builder().operation_id(*target).parameter(*parameter, made).build();
            response.links.insert((*target).to_owned(), RefOr::T(link));
        }
    }
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
