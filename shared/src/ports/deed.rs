//! What operators do, as the audit log keeps it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::identity::{Account, SigningKey};
use super::letter::KeptLetter;
use crate::domain::{Order, Product, ProductId, Sale, Scope, Status, UserId};

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// What, such as `product.create`.
    pub action: &'static str,
    /// To what, such as `products/7`.
    pub subject: String,
    /// What else there is to say: a JSON object.
    pub details: Value,
}

impl Deed {
    /// A product was added.
    pub fn product_created(product: &Product, total: i64) -> Self {
        let mut details = terms_of(product);
        details["total"] = total.into();
        Self { action: "product.create", subject: product_subject(product.id), details }
    }

    /// A product was changed: how it is now.
    pub fn product_changed(product: &Product) -> Self {
        let details = terms_of(product);
        Self { action: "product.change", subject: product_subject(product.id), details }
    }

    /// Units were added or withdrawn.
    pub fn stock_moved(product: ProductId, delta: i64) -> Self {
        let details = json!({ "delta": delta });
        Self { action: "stock.move", subject: product_subject(product), details }
    }

    /// A sale was planned.
    pub fn sale_planned(sale: &Sale) -> Self {
        Self::sale("sale.plan", sale)
    }

    /// A sale was changed: how it is now.
    pub fn sale_changed(sale: &Sale) -> Self {
        Self::sale("sale.change", sale)
    }

    /// A sale was called off.
    pub fn sale_called_off(sale: &Sale) -> Self {
        Self::sale("sale.cancel", sale)
    }

    fn sale(action: &'static str, sale: &Sale) -> Self {
        let details = json!({
            "productId": sale.product_id.0,
            "priceMinor": sale.price.minor,
            "currency": sale.price.currency.code(),
            "startsAt": sale.starts_at.to_string(),
            "endsAt": sale.ends_at.to_string(),
            "perUserLimit": sale.per_user_limit,
            "holdSeconds": sale.hold_seconds,
            "quantity": sale.quantity,
            "waitingRoom": sale.waiting_room,
        });
        Self { action, subject: format!("flash-sales/{}", sale.id), details }
    }

    /// An order went where an operator sent it.
    pub fn order_moved(order: &Order) -> Self {
        let action = match order.status {
            Status::Fulfilled => "order.fulfil",
            Status::Cancelled => "order.cancel",
            Status::Pending => "order.check-out",
            _ => "order.change",
        };
        let details = json!({ "status": order.status.as_str() });
        Self { action, subject: format!("orders/{}", order.id), details }
    }

    /// A dead letter's purchase is to be settled again.
    pub fn letter_replayed(letter: &KeptLetter) -> Self {
        Self::letter("dead-letter.replay", letter)
    }

    /// A dead letter was given up.
    pub fn letter_discarded(letter: &KeptLetter) -> Self {
        Self::letter("dead-letter.discard", letter)
    }

    fn letter(action: &'static str, letter: &KeptLetter) -> Self {
        let details = json!({ "orderId": letter.letter.order_id, "error": letter.letter.error });
        Self { action, subject: format!("dead-letters/{}", letter.id), details }
    }

    /// An account was added.
    pub fn account_registered(account: &Account) -> Self {
        let details = json!({ "role": account.role.as_str() });
        Self { action: "account.register", subject: account_subject(&account.user_id), details }
    }

    /// An account was disabled, or enabled again.
    pub fn account_disabled(user: &UserId, disabled: bool) -> Self {
        let action = if disabled { "account.disable" } else { "account.enable" };
        Self { action, subject: account_subject(user), details: json!({}) }
    }

    /// Somebody gave a wrong password for an account, or for none.
    pub fn login_refused(user: &UserId) -> Self {
        Self { action: "session.refuse", subject: account_subject(user), details: json!({}) }
    }

    /// A session has begun.
    pub fn session_begun(session: Uuid) -> Self {
        Self::session("session.begin", session)
    }

    /// A refresh token came a second time, and its session is over.
    pub fn session_reused(session: Uuid) -> Self {
        Self::session("session.reuse", session)
    }

    /// A session was ended by whose it is.
    pub fn session_ended(session: Uuid) -> Self {
        Self::session("session.end", session)
    }

    fn session(action: &'static str, session: Uuid) -> Self {
        Self { action, subject: format!("sessions/{session}"), details: json!({}) }
    }

    /// A service key was added.
    pub fn service_key_created(name: &str, id: i64, scopes: &[Scope]) -> Self {
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        let details = json!({ "id": id, "scopes": scopes });
        Self { action: "service-key.create", subject: format!("service-keys/{name}"), details }
    }

    /// A service key is good for nothing from now on.
    pub fn service_key_revoked(name: &str) -> Self {
        let subject = format!("service-keys/{name}");
        Self { action: "service-key.revoke", subject, details: json!({}) }
    }

    /// A signing key was added, and takes over.
    pub fn signing_key_created(key: &SigningKey) -> Self {
        let details = json!({ "algorithm": key.algorithm });
        let subject = format!("signing-keys/{}", key.kid);
        Self { action: "signing-key.create", subject, details }
    }

    /// Whoever saw a later ledger than this one was brought in line.
    pub fn realigned(products: usize, orders: usize, catalogue: &Value) -> Self {
        let details = json!({ "products": products, "orders": orders, "catalogue": catalogue });
        Self { action: "ledger.realign", subject: "ledger".into(), details }
    }
}

fn account_subject(user: &UserId) -> String {
    format!("accounts/{user}")
}

fn product_subject(id: ProductId) -> String {
    format!("products/{id}")
}

fn terms_of(product: &Product) -> Value {
    json!({
        "sku": product.sku.as_str(),
        "name": product.name,
        "priceMinor": product.price.minor,
        "currency": product.price.currency.code(),
        "active": product.active,
        "perUserLimit": product.per_user_limit,
    })
}
