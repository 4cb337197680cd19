//! Paying for a hold, and hearing of payments.

use axum::extract::{FromRequest, FromRequestParts, Request};
use serde_json::Value;
use shared::domain::{Payment, PaymentRef, TrackingId};
use shared::ports::Clock;

use super::body;
use super::fields::Fields;
use super::path::Owner;
use crate::problem::{Faults, Problem, kind};
use crate::state::Shared;

const METHOD_BYTES_MAX: usize = 50;

/// A checkout.
#[derive(Debug)]
pub struct CheckoutForm {
    /// The hold.
    pub id: TrackingId,
    /// Whose it must be.
    pub owner: Owner,
    /// How it is paid.
    pub payment: Payment,
}

impl FromRequest<Shared> for CheckoutForm {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let owner = Owner::from_request_parts(&mut parts, app).await?;
        let body = body::read(&parts.headers, body, app, 1).await?;
        let (id, payment) = checkout(&body)?;
        Ok(Self { id, owner, payment })
    }
}

fn checkout(body: &str) -> Result<(TrackingId, Payment), Faults> {
    let mut fields = Fields::read(body)?;
    let id = id(&mut fields, "reservationId");
    let reference = reference(&mut fields);
    let method = fields.text("paymentMethod", METHOD_BYTES_MAX).map(Into::into);
    let shipping_address = match fields.value("shippingAddress") {
        None => None,
        Some(value @ (Value::Object(_) | Value::String(_))) if is_printable(&value) => {
            Some(value.to_string().into())
        }
        Some(_) => {
            let fault = "must be an object or a string, without control characters";
            fields.wrong("shippingAddress", fault)
        }
    };
    for required in ["reservationId", "paymentTransactionId"] {
        if fields.value(required).is_none() {
            fields.faults().note_missing(required);
        }
    }
    let checkout = id
        .zip(reference)
        .map(|(id, reference)| (id, Payment { reference, method, shipping_address }));
    fields.finish(checkout)
}

/// No text in it has control characters.
fn is_printable(value: &Value) -> bool {
    let clean = |text: &str| !text.chars().any(char::is_control);
    match value {
        Value::String(text) => clean(text),
        Value::Array(values) => values.iter().all(is_printable),
        Value::Object(fields) => {
            fields.iter().all(|(name, value)| clean(name) && is_printable(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// What a payment provider tells.
#[derive(Debug, PartialEq, Eq)]
pub enum PaymentEvent {
    /// The money is there.
    Succeeded {
        /// The order.
        id: TrackingId,
        /// The provider's transaction.
        reference: PaymentRef,
    },
    /// It will not come.
    Failed {
        /// The order.
        id: TrackingId,
        /// The provider's transaction.
        reference: PaymentRef,
    },
    /// Something that does not concern us.
    Other,
}

/// A webhook whose signature was checked. As the last argument of a handler it turns strangers away
/// before anything of the body is believed.
#[derive(Debug)]
pub struct SignedWebhook(pub PaymentEvent);

impl FromRequest<Shared> for SignedWebhook {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let signature = request.headers().get("doorbuster-signature").cloned();
        let (parts, body) = request.into_parts();
        let body = body::read(&parts.headers, body, app, 1).await?;
        let unsigned = || Problem::new(kind::UNAUTHENTICATED, "Doorbuster-Signature is missing.");
        let signature = signature.ok_or_else(unsigned)?;
        let signature = signature.to_str().unwrap_or_default();
        let detail = "No webhook is believed until payments.webhook_secret is configured.";
        let silent = || Problem::new(kind::UNAUTHENTICATED, detail);
        let webhooks = app.webhooks.as_ref().ok_or_else(silent)?;
        webhooks
            .check(signature, body.as_bytes(), app.clock.now())
            .map_err(|error| Problem::new(kind::UNAUTHENTICATED, error.to_string()))?;
        Ok(Self(event(&body)?))
    }
}

fn event(body: &str) -> Result<PaymentEvent, Faults> {
    let mut fields = Fields::read(body)?;
    let Some(kind) = fields.text("type", usize::MAX) else {
        fields.faults().note_missing("type");
        return fields.finish(None);
    };
    if !["payment.succeeded", "payment.failed"].contains(&kind.as_str()) {
        return fields.finish(Some(PaymentEvent::Other));
    }
    let id = id(&mut fields, "orderId");
    let reference = reference(&mut fields);
    for required in ["orderId", "paymentTransactionId"] {
        if fields.value(required).is_none() {
            fields.faults().note_missing(required);
        }
    }
    let event = id.zip(reference).map(|(id, reference)| match kind.as_str() {
        "payment.succeeded" => PaymentEvent::Succeeded { id, reference },
        _ => PaymentEvent::Failed { id, reference },
    });
    fields.finish(event)
}

fn id(fields: &mut Fields, name: &'static str) -> Option<TrackingId> {
    let text = fields.text(name, usize::MAX)?;
    match text.parse::<TrackingId>() {
        Ok(id) => Some(id),
        Err(error) => fields.wrong(name, error.to_string()),
    }
}

fn reference(fields: &mut Fields) -> Option<PaymentRef> {
    let text = fields.text("paymentTransactionId", usize::MAX)?;
    match PaymentRef::parse(text) {
        Ok(reference) => Some(reference),
        Err(error) => fields.wrong("paymentTransactionId", error.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01a1fcd9-478b-8000-8005-2e6029c7e5ab";

    #[test]
    fn every_fault_of_a_checkout_is_listed() {
        let faults = |body: &str| {
            let faults = checkout(body).unwrap_err();
            faults.all().iter().map(|fault| fault.field.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(faults("{}"), ["reservationId", "paymentTransactionId"]);
        let body = r#"{"reservationId":"x","paymentTransactionId":7,"shippingAddress":[]}"#;
        assert_eq!(faults(body), ["reservationId", "paymentTransactionId", "shippingAddress"]);
        let nul = format!(
            r#"{{"reservationId":"{ID}","paymentTransactionId":"t","shippingAddress":{{"a":"\u0000"}}}}"#
        );
        assert_eq!(faults(&nul), ["shippingAddress"]);
    }

    #[test]
    fn an_event_that_does_not_concern_us_is_left_alone() {
        assert_eq!(event(r#"{"type":"payout.paid"}"#), Ok(PaymentEvent::Other));
        assert!(event(r#"{"type":"payment.failed"}"#).unwrap_err().of("orderId"));
        assert!(event("{}").unwrap_err().of("type"));
    }
}
