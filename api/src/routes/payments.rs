//! Paying for a hold, and what the payment provider tells.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use shared::domain::{Refusal, Status};

use super::orders::created;
use super::refusal::{Asked, Named, invalid, refused};
use crate::identity::Access;
use crate::parse::schema::{CheckoutBody, WebhookBody};
use crate::parse::{CheckoutForm, Owner, PaymentEvent, SignedWebhook};
use crate::problem::{Problem, kind, responses};
use crate::state::Shared;
use crate::views::{OrderView, WebhookReceipt};

/// Pays for a hold
///
/// `CONFIRMED` when the payment is known to have succeeded, `PENDING` until the webhook tells. The
/// same checkout again (the same `paymentTransactionId`) is the same payment.
#[utoipa::path(
    post,
    path = "/api/v1/orders/checkout",
    tag = "Orders",
    params(("X-User-Id" = Option<String>, Header, description = "Whose hold it must be")),
    request_body = CheckoutBody,
    responses(
        (status = 201, description = "Paid, or about to be", body = OrderView, headers(
            ("Location" = String, description = "The order"),
        )),
        (status = 400, response = responses::Invalid),
        (status = 402, response = responses::PaymentDeclined),
        (status = 404, response = responses::NoSuchReservation),
        (status = 409, response = responses::InvalidTransition),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn check_out(State(app): State<Shared>, form: CheckoutForm) -> Result<Response, Problem> {
    let CheckoutForm { id, owner: Owner { access, user }, payment } = form;
    let order = app.cashier.check_out(id, user, payment, access.noted()).await;
    let asked = Asked { id, named: Named::Reservation, to: Status::Pending };
    let order = order.map_err(|error| refused(&app, &access, error, asked))?;
    let declined = |detail| {
        let problem = Problem::new(kind::PAYMENT_DECLINED, detail);
        let problem = problem.with("orderId", order.id.to_string());
        Err(problem.with("status", order.status.as_str()))
    };
    match order.status {
        Status::Reserved => declined("The units are still held: try another payment."),
        Status::Failed => declined("Declined, or not known in time. The units are for sale again."),
        // Given back while the provider was asked.
        Status::Cancelled => {
            Err(invalid(Refusal::Invalid { from: order.status, to: Status::Confirmed }))
        }
        _ => Ok(created(&app, &order)),
    }
}

/// Hears of a payment
///
/// From the payment provider, signed: `Doorbuster-Signature: t=…,v1=…`, where `t` is the time in
/// seconds since the Unix epoch and `v1` the hexadecimal HMAC-SHA256 of `t`, a full stop and the
/// body. The same event again changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/payments/webhook",
    tag = "Orders",
    params(("Doorbuster-Signature" = String, Header, description = "t=SECONDS,v1=HEX")),
    request_body = WebhookBody,
    responses(
        (status = 200, description = "Heard", body = WebhookReceipt),
        (status = 400, response = responses::Invalid),
        (status = 401, response = responses::BadSignature),
        (status = 404, response = responses::NoSuchOrder),
        (status = 409, response = responses::InvalidTransition),
        (status = 413, response = responses::TooLarge),
        (status = 415, response = responses::NotJson),
        (status = 503, response = responses::NotNow),
        (status = "default", response = responses::Other),
    )
)]
pub async fn webhook(
    State(app): State<Shared>,
    access: Access,
    SignedWebhook(event): SignedWebhook,
) -> Result<Json<WebhookReceipt>, Problem> {
    let (id, advanced) = match event {
        PaymentEvent::Succeeded { id, reference } => {
            (id, app.cashier.succeeded(id, reference).await)
        }
        PaymentEvent::Failed { id, reference } => (id, app.cashier.declined(id, reference).await),
        // Providers tell of more than concerns us, and repeat what is not answered with success.
        PaymentEvent::Other => return Ok(Json(WebhookReceipt::ignored())),
    };
    let asked = Asked { id, named: Named::Order, to: Status::Confirmed };
    let advanced = advanced.map_err(|error| refused(&app, &access, error, asked))?;
    Ok(Json(WebhookReceipt::new(&advanced)))
}
