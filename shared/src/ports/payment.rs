//! The payment provider.

use async_trait::async_trait;

use crate::domain::{Money, PaymentRef, TrackingId};

/// What is to be paid. A reference belongs to one order and one amount: asked for again it is the
/// same payment, and asked for another order or amount it must be declined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// For which order.
    pub order_id: TrackingId,
    /// The provider's transaction, which the shop has begun.
    pub reference: PaymentRef,
    /// How much.
    pub amount: Money,
}

/// What the provider says of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentVerdict {
    /// The money is there.
    Approved,
    /// It will not come.
    Declined,
    /// Not known yet; the webhook will tell.
    Open,
}

/// The provider gave no answer. The payment may have succeeded or not.
#[derive(Debug, Clone, thiserror::Error)]
#[error("payment provider: {0}")]
pub struct PaymentError(pub String);

/// Where money comes from.
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// Collects a payment. May take long, or never answer: bound it.
    async fn collect(&self, charge: &Charge) -> Result<PaymentVerdict, PaymentError>;
}
