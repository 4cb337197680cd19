//! Payment providers that need nothing installed.

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{Charge, PaymentError, PaymentGateway, PaymentVerdict};

/// A provider for trying things out: the beginning of the transaction's name says how it ends.
///
/// | begins with | what happens |
/// |---|---|
/// | `decline` | declined at once |
/// | `slow` | approved after five seconds |
/// | `never` | no answer, ever |
/// | `error` | the provider cannot be reached |
/// | anything else | approved at once |
#[derive(Debug, Clone, Copy, Default)]
pub struct SimulatedPayments;

/// Longer than a checkout waits by default.
const SLOW: Duration = Duration::from_secs(5);

#[async_trait]
impl PaymentGateway for SimulatedPayments {
    async fn collect(&self, charge: &Charge) -> Result<PaymentVerdict, PaymentError> {
        let begins = |with| charge.reference.as_str().starts_with(with);
        if begins("decline") {
            return Ok(PaymentVerdict::Declined);
        }
        if begins("error") {
            return Err(PaymentError("it cannot be reached".into()));
        }
        if begins("never") {
            std::future::pending::<()>().await;
        }
        if begins("slow") {
            tokio::time::sleep(SLOW).await;
        }
        Ok(PaymentVerdict::Approved)
    }
}

/// The shop and its provider deal with each other; all that is heard of it is the webhook.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebhookPayments;

#[async_trait]
impl PaymentGateway for WebhookPayments {
    async fn collect(&self, _: &Charge) -> Result<PaymentVerdict, PaymentError> {
        Ok(PaymentVerdict::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::id;
    use crate::domain::{Currency, Money, PaymentRef};

    #[tokio::test(start_paused = true)]
    async fn a_transaction_s_name_says_how_it_ends() {
        let collect = |name: &str| {
            let reference = PaymentRef::parse(name).unwrap();
            let amount = Money { minor: 1, currency: Currency::USD };
            let charge = Charge { order_id: id(1), reference, amount };
            async move {
                let collected = SimulatedPayments.collect(&charge);
                tokio::time::timeout(Duration::from_secs(3_600), collected).await
            }
        };
        assert_eq!(collect("t-1").await.unwrap().unwrap(), PaymentVerdict::Approved);
        assert_eq!(collect("slow-1").await.unwrap().unwrap(), PaymentVerdict::Approved);
        assert_eq!(collect("decline-1").await.unwrap().unwrap(), PaymentVerdict::Declined);
        assert!(collect("error-1").await.unwrap().is_err());
        assert!(collect("never-1").await.is_err());
    }
}
