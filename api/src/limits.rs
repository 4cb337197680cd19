//! How often may a client ask? Per address for all requests, per address and name for logging in; per user
//! for buying, which `admit` counts.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};
use metrics::counter;
use shared::config;
use shared::domain::{RatePolicy, UserId};
use shared::pipeline::admit::Quota;
use shared::pipeline::limits::Limiter;
use shared::ports::RateAsk;

use crate::problem::{Problem, kind};

const MINUTE: Duration = Duration::from_secs(60);
const REQUESTS: &str = "requests";
const SIGN_INS: &str = "sign-ins";
/// A name may be tried more often than an address may try: nobody shall lock somebody else out with a few.
const OF_A_NAME: u32 = 10;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The limits of addresses and names.
pub struct Limits {
    limiter: Limiter,
    requests: Option<RatePolicy>,
    sign_ins: Option<RatePolicy>,
    sign_ins_of_a_name: Option<RatePolicy>,
}

impl Limits {
    /// The configured limits.
    pub fn new(limiter: Limiter, config: &config::Limits) -> Self {
        let policy = |count, window| Some(RatePolicy::per(NonZeroU32::new(count)?, window));
        Self {
            limiter,
            requests: policy(config.per_ip_per_second, Duration::from_secs(1)),
            sign_ins: policy(config.sign_ins_per_minute, MINUTE),
            sign_ins_of_a_name: policy(
                config.sign_ins_per_minute.saturating_mul(OF_A_NAME),
                MINUTE,
            ),
        }
    }

    /// Counts a request of any kind. None waits for other instances: they are told, and what they let through
    /// counts here a moment later. Must be called within a runtime.
    pub fn request(&self, origin: IpAddr) -> Result<(), Problem> {
        let Some(policy) = self.requests else { return Ok(()) };
        let ask = RateAsk::new(REQUESTS, &network(origin), policy);
        let rated = self.limiter.take_and_tell(ask);
        check(Quota { name: REQUESTS, rated })
    }

    /// Counts an attempt to register, log in or refresh, of an address and of a name where there is one:
    /// neither many names from one place nor one name from many places can be tried for long.
    pub async fn sign_in(&self, origin: IpAddr, user: Option<&UserId>) -> Result<(), Problem> {
        let Some(policy) = self.sign_ins else { return Ok(()) };
        let from = RateAsk::new(SIGN_INS, &format!("from:{}", network(origin)), policy);
        let name = user.zip(self.sign_ins_of_a_name);
        let name =
            name.map(|(user, policy)| RateAsk::new(SIGN_INS, &format!("user:{user}"), policy));
        for ask in std::iter::once(from).chain(name) {
            check(Quota { name: SIGN_INS, rated: self.limiter.take(ask).await })?;
        }
        Ok(())
    }
}

/// Whoever has one address of IPv6 has the 2^64 next to it too.
fn network(origin: IpAddr) -> String {
    match origin {
        IpAddr::V4(_) => origin.to_string(),
        IpAddr::V6(addr) => {
            let [a, b, c, d, ..] = addr.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::")
        }
    }
}

fn check(quota: Quota) -> Result<(), Problem> {
    if quota.rated.allowed {
        return Ok(());
    }
    counter!("doorbuster_rate_limited_total", "limit" => quota.name).increment(1);
    Err(Problem::limited(quota))
}

impl Problem {
    /// 429, with when it makes sense to come again.
    pub fn limited(quota: Quota) -> Self {
        let wait = quota.rated.retry_after();
        let detail = format!("Over the limit of {}.", quota.name);
        let problem = Self::new(kind::RATE_LIMITED, detail).with("limit", quota.name);
        let problem = problem.retry_after(seconds(wait));
        headers(&quota)
            .into_iter()
            .fold(problem, |problem, (name, value)| problem.with_header(name, value))
    }
}

/// How a client stands with a limit, for the answer of a request that was let through.
pub struct Stands(pub Option<Quota>);

impl IntoResponseParts for Stands {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut response: ResponseParts,
    ) -> Result<ResponseParts, Self::Error> {
        if let Some(quota) = &self.0 {
            for (name, value) in headers(quota) {
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    }
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4).
fn headers(quota: &Quota) -> [(HeaderName, HeaderValue); 2] {
    let Quota { name, rated } = quota;
    let window = Duration::from_micros(rated.policy.window_us());
    let policy = [(";q=", rated.policy.burst.get().into()), (";w=", seconds(window))];
    let stands = [(";r=", rated.remaining().into()), (";t=", seconds(rated.reset()))];
    [(RATE_LIMIT_POLICY, item(name, policy)), (RATE_LIMIT, item(name, stands))]
}

/// A string with parameters (RFC 9651, section 3.3), without a formatter: it is part of every purchase.
fn item(name: &str, parameters: [(&str, u64); 2]) -> HeaderValue {
    let mut text = Vec::with_capacity(32);
    for part in ["\"", name, "\""] {
        text.extend_from_slice(part.as_bytes());
    }
    for (parameter, number) in parameters {
        text.extend_from_slice(parameter.as_bytes());
        text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
    // Names of ours and digits have nothing that a header may not have.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whole seconds, rounded up, one at least.
fn seconds(time: Duration) -> u64 {
    (time.as_micros().div_ceil(1_000_000) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use shared::domain::Rated;

    use super::*;

    fn quota(allowed: bool, ahead_ms: u64) -> Quota {
        let policy = RatePolicy::per(NonZeroU32::new(5).unwrap(), Duration::from_secs(1));
        Quota { name: "purchases", rated: Rated { policy, allowed, ahead_us: ahead_ms * 1_000 } }
    }

    #[test]
    fn the_headers_say_what_is_left_and_until_when() {
        let [(_, policy), (_, stands)] = headers(&quota(true, 400));
        assert_eq!(policy, "\"purchases\";q=5;w=1");
        assert_eq!(stands, "\"purchases\";r=3;t=1");
    }

    #[test]
    fn neighbours_in_ipv6_are_one() {
        let of = |addr: &str| network(addr.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
