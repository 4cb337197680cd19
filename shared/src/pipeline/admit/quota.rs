//! How much one user may ask for.

use std::num::NonZeroU32;
use std::time::Duration;

use metrics::counter;
use tracing::warn;

use super::request::{Request, Want};
use crate::domain::{RatePolicy, Rated, UserId};
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

/// What a request takes, and what this instance says of it.
pub(super) struct Taking(Vec<(&'static str, RateAsk, Rated)>);

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
        let mut taking = Taking(Vec::new());
        self.take(&mut taking, PURCHASES, self.purchases, request)?;
        Ok(taking)
    }

    /// Takes a hold too, of a request that would be accepted: one that is refused keeps nobody from buying.
    pub(super) fn take_hold_here(
        &self,
        mut taking: Taking,
        request: &Request,
    ) -> Result<Taking, Quota> {
        let holds = self.holds.filter(|_| request.want == Want::Hold);
        self.take(&mut taking, HOLDS, holds, request)?;
        Ok(taking)
    }

    fn take(
        &self,
        taking: &mut Taking,
        name: &'static str,
        policy: Option<RatePolicy>,
        request: &Request,
    ) -> Result<(), Quota> {
        let Some(policy) = policy else { return Ok(()) };
        let ask = RateAsk::new(name, request.user_id.as_str(), policy);
        let rated = self.limiter.take_here(&ask);
        check(name, rated, &request.user_id)?;
        taking.0.push((name, ask, rated));
        Ok(())
    }

    /// Takes the same of what all instances have together. Answers what is left of purchases.
    pub(super) async fn take_everywhere(
        &self,
        taking: Taking,
        user: &UserId,
    ) -> Result<Option<Quota>, Quota> {
        let mut first = None;
        for (name, ask, here) in taking.0 {
            let rated = self.limiter.take_everywhere(ask, here).await;
            check(name, rated, user)?;
            first = first.or(Some(Quota { name, rated }));
        }
        Ok(first)
    }

    /// A hold was paid for, and does not count as one that is let go.
    pub async fn hold_paid(&self, user: &UserId) {
        if let Some(policy) = self.holds {
            self.limiter.give_back(RateAsk::new(HOLDS, user.as_str(), policy)).await;
        }
    }
}

impl Taking {
    /// Whether anything is to be asked of others.
    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_empty()
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
