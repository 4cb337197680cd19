//! Every route and who may use it. What is not listed here answers nobody.

use axum::http::Method;
use shared::domain::Scope;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Anybody, without credentials.
    Anyone,
    /// Buyers for themselves, a service with this scope for any buyer. Without tokens
    /// (`auth.mode = "open"`) anybody who says who they are.
    Buyers(Scope),
    /// Operators, and services with this scope.
    Operators(Scope),
    /// A route that the table has forgotten.
    Nobody,
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// The table: method, route template, rule.
pub const RULES: &[(Method, &str, Rule)] = &[
    (POST, "/api/v1/async/purchase", Rule::Buyers(Scope::Purchases)),
    (POST, "/api/v1/sync/purchase", Rule::Buyers(Scope::Purchases)),
    (POST, "/api/buy/{product}", Rule::Buyers(Scope::Purchases)),
    // Whoever has a tracking ID may follow it; strangers see no personal data.
    (GET, "/api/v1/purchases/{trackingId}", Rule::Anyone),
    (GET, "/api/v1/purchases/{trackingId}/events", Rule::Anyone),
    (POST, "/api/v1/purchases/query", Rule::Anyone),
    (POST, "/api/v1/reservations", Rule::Buyers(Scope::Purchases)),
    (GET, "/api/v1/reservations/{reservationId}", Rule::Buyers(Scope::Purchases)),
    (DELETE, "/api/v1/reservations/{reservationId}", Rule::Buyers(Scope::Purchases)),
    (POST, "/api/v1/orders", Rule::Buyers(Scope::Purchases)),
    (GET, "/api/v1/orders", Rule::Buyers(Scope::Orders)),
    (POST, "/api/v1/orders/checkout", Rule::Buyers(Scope::Purchases)),
    (GET, "/api/v1/orders/{orderId}", Rule::Buyers(Scope::Orders)),
    (GET, "/api/v1/orders/user/{userId}", Rule::Buyers(Scope::Orders)),
    (POST, "/api/v1/orders/{orderId}/cancel", Rule::Buyers(Scope::Orders)),
    (POST, "/api/v1/orders/{orderId}/fulfil", Rule::Operators(Scope::Orders)),
    // Signed by the payment provider.
    (POST, "/api/v1/payments/webhook", Rule::Anyone),
    (GET, "/api/v1/products", Rule::Anyone),
    (POST, "/api/v1/products", Rule::Operators(Scope::Products)),
    (GET, "/api/v1/products/{product}", Rule::Anyone),
    (PATCH, "/api/v1/products/{product}", Rule::Operators(Scope::Products)),
    (GET, "/api/v1/products/{product}/availability", Rule::Anyone),
    (GET, "/api/v1/products/{product}/stock/events", Rule::Anyone),
    (GET, "/api/v1/sync/stock/{product}", Rule::Anyone),
    (POST, "/api/v1/products/{product}/restock", Rule::Operators(Scope::Products)),
    (GET, "/api/v1/flash-sales", Rule::Anyone),
    (POST, "/api/v1/flash-sales", Rule::Operators(Scope::Sales)),
    (GET, "/api/v1/flash-sales/{id}", Rule::Anyone),
    (PATCH, "/api/v1/flash-sales/{id}", Rule::Operators(Scope::Sales)),
    (POST, "/api/v1/flash-sales/{id}/cancel", Rule::Operators(Scope::Sales)),
    (POST, "/api/v1/queue/join", Rule::Buyers(Scope::Purchases)),
    (DELETE, "/api/v1/queue/leave", Rule::Buyers(Scope::Purchases)),
    // The ticket is the credential, for an EventSource cannot send any other.
    (GET, "/api/v1/queue/events", Rule::Anyone),
    (GET, "/api/v1/queue/position", Rule::Buyers(Scope::Purchases)),
    (GET, "/api/v1/flash-sales/{id}/queue-position", Rule::Buyers(Scope::Purchases)),
    (GET, "/api/v1/admin/dead-letters", Rule::Operators(Scope::DeadLetters)),
    (POST, "/api/v1/admin/dead-letters/replay", Rule::Operators(Scope::DeadLetters)),
    (POST, "/api/v1/admin/dead-letters/discard", Rule::Operators(Scope::DeadLetters)),
    (GET, "/api/v1/admin/dead-letters/{id}", Rule::Operators(Scope::DeadLetters)),
    (POST, "/api/v1/admin/dead-letters/{id}/replay", Rule::Operators(Scope::DeadLetters)),
    (POST, "/api/v1/admin/dead-letters/{id}/discard", Rule::Operators(Scope::DeadLetters)),
    (GET, "/api/v1/admin/audit", Rule::Operators(Scope::Operations)),
    (GET, "/api/v1/admin/audit-log", Rule::Operators(Scope::Operations)),
    (GET, "/api/v1/async/queue/status", Rule::Anyone),
    (POST, "/api/v1/auth/register", Rule::Anyone),
    (POST, "/api/v1/auth/login", Rule::Anyone),
    // The refresh token is the credential.
    (POST, "/api/v1/auth/refresh", Rule::Anyone),
    (POST, "/api/v1/auth/logout", Rule::Anyone),
    (GET, "/ws", Rule::Anyone),
    (GET, "/livez", Rule::Anyone),
    (GET, "/readyz", Rule::Anyone),
    (GET, "/metrics", Rule::Anyone),
    (GET, "/api/v1/openapi.json", Rule::Anyone),
    (GET, "/docs", Rule::Anyone),
    (GET, "/", Rule::Anyone),
    (GET, "/page/{file}", Rule::Anyone),
];

/// The rule of a route.
pub fn rule_of(method: &Method, template: &str) -> Rule {
    let known = RULES.iter().find(|(m, path, _)| m == method && *path == template);
    known.map_or(Rule::Nobody, |(.., rule)| *rule)
}
