//! How much one user may ask for.

use std::num::NonZeroU32;
use std::time::Duration;

use metrics::counter;
use tracing::warn;

use super::request::{Request, Want};
use crate::domain::{Purchase, RatePolicy, Rated, UserId};
use crate::pipeline::limits::Limiter;
use crate::ports::RateAsk;

/// Purchases and holds.
const PURCHASES: &str = "purchases";
/// Holds that were not paid for: whoever holds and lets go again and again keeps others from buying.
const HOLDS: &str = "holds";

/// A limit, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Which limit.
    pub name: &'static str,
    /// How it stands.
    pub rated: Rated,
}

/// The limits of each user; none where a policy is missing.
#[derive(Clone)]
pub struct UserLimits {
    limiter: Limiter,
    purchases: Option<RatePolicy>,
    holds: Option<RatePolicy>,
}

/// What a request takes.
#[derive(Default)]
pub(super) struct Taking {
    purchase: Option<Taken>,
    hold: Option<Taken>,
}

/// What was taken, and what this instance says of it.
struct Taken {
    ask: RateAsk,
    here: Rated,
}

impl UserLimits {
    /// At most `per_second` purchases and holds, and `unpaid_holds_per_hour` holds that are not paid for;
    /// 0 turns a limit off.
    pub fn new(limiter: Limiter, per_second: u32, unpaid_holds_per_hour: u32) -> Self {
        let policy = |count, window| Some(RatePolicy::per(NonZeroU32::new(count)?, window));
        Self {
            limiter,
            purchases: policy(per_second, Duration::from_secs(1)),
            holds: policy(unpaid_holds_per_hour, Duration::from_secs(3_600)),
        }
    }

    /// Takes a purchase of the user's, as far as this instance knows: whatever becomes of it.
    pub(super) fn take_here(&self, request: &Request) -> Result<Taking, Quota> {
        let purchase = self.take(PURCHASES, self.purchases, &request.user_id)?;
        Ok(Taking { purchase, hold: None })
    }

    /// Takes a hold too, of a request that would be accepted: one that is refused keeps nobody from buying.
    pub(super) fn take_hold_here(
        &self,
        taking: Taking,
        request: &Request,
    ) -> Result<Taking, Quota> {
        let holds = self.holds.filter(|_| request.want == Want::Hold);
        Ok(Taking { hold: self.take(HOLDS, holds, &request.user_id)?, ..taking })
    }

    fn take(
        &self,
        name: &'static str,
        policy: Option<RatePolicy>,
        user: &UserId,
    ) -> Result<Option<Taken>, Quota> {
        let Some(policy) = policy else { return Ok(None) };
        let ask = RateAsk::new(name, user.as_str(), policy);
        let here = self.limiter.take_here(&ask);
        check(name, here, user)?;
        Ok(Some(Taken { ask, here }))
    }

    /// Takes for each of `purchases` the same of what all instances have together. Answers what is left to its
    /// user, of purchases first.
    pub(super) async fn take_everywhere(
        &self,
        purchases: &[Purchase],
        takings: Vec<Taking>,
    ) -> Vec<Result<Option<Quota>, Quota>> {
        let (bought, held): (Vec<_>, Vec<_>) =
            takings.into_iter().map(|taking| (taking.purchase, taking.hold)).unzip();
        let mut quotas = vec![Ok(None); purchases.len()];
        self.take_all(PURCHASES, bought, purchases, &mut quotas).await;
        self.take_all(HOLDS, held, purchases, &mut quotas).await;
        quotas
    }

    /// Takes for those who are not refused yet.
    async fn take_all(
        &self,
        name: &'static str,
        taken: Vec<Option<Taken>>,
        purchases: &[Purchase],
        quotas: &mut [Result<Option<Quota>, Quota>],
    ) {
        let mut of = Vec::with_capacity(taken.len());
        let (mut asks, mut here) = (Vec::with_capacity(taken.len()), Vec::new());
        for (place, taken) in purchases.iter().zip(quotas).zip(taken) {
            if let ((purchase, quota @ Ok(_)), Some(taken)) = (place, taken) {
                of.push((&purchase.terms.user_id, quota));
                asks.push(taken.ask);
                here.push(taken.here);
            }
        }
        let rated = self.limiter.take_everywhere(&asks, here).await;
        for ((user, quota), rated) in of.into_iter().zip(rated) {
            let first = quota.ok().flatten();
            *quota = check(name, rated, user).map(|()| first.or(Some(Quota { name, rated })));
        }
    }

    /// A hold was paid for, and does not count as one that is let go.
    pub async fn hold_paid(&self, user: &UserId) {
        if let Some(policy) = self.holds {
            self.limiter.give_back(RateAsk::new(HOLDS, user.as_str(), policy)).await;
        }
    }
}

impl Taking {
    /// Whether nothing is to be asked of others.
    pub(super) fn is_nothing(&self) -> bool {
        self.purchase.is_none() && self.hold.is_none()
    }
}

fn check(name: &'static str, rated: Rated, user: &UserId) -> Result<(), Quota> {
    if rated.allowed {
        return Ok(());
    }
    counter!("doorbuster_rate_limited_total", "limit" => name).increment(1);
    if name == HOLDS {
        warn!(%user, "holds again and again without paying");
    }
    Err(Quota { name, rated })
}
