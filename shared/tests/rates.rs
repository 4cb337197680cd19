//! The conformance suite of the `RateLimits` port, run against every adapter.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rstest::rstest;
use shared::adapters::embedded::EmbeddedRates;
use shared::adapters::redis::RedisRates;
use shared::domain::RatePolicy;
use shared::pipeline::limits::Limiter;
use shared::ports::{RateAsk, RateLimits};
use shared::testing::Family::{self, Embedded, Real};
use shared::testing::eventually;
use shared::testing::redis::fresh_pool;

async fn rates(family: Family) -> Arc<dyn RateLimits> {
    match family {
        Real => Arc::new(RedisRates::new(fresh_pool().await)),
        Embedded => Arc::new(EmbeddedRates::default()),
    }
}

/// Two at once, and one more after each `window / 2`.
fn two_per(key: &str, window: Duration) -> RateAsk {
    let policy = RatePolicy::per(NonZeroU32::new(2).unwrap(), window);
    RateAsk { key: key.into(), policy }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[rstest]
#[tokio::test]
async fn a_burst_is_taken_and_then_it_is_refused(#[values(Real, Embedded)] family: Family) {
    let rates = rates(family).await;
    let ask = two_per("a", HOUR);
    let taken = rates.take(&[ask.clone(), ask.clone(), ask.clone()]).await.unwrap();
    let seen: Vec<_> = taken.iter().map(|rated| (rated.allowed, rated.remaining())).collect();
    assert_eq!(seen, [(true, 1), (true, 0), (false, 0)]);
    let wait = taken[2].retry_after();
    let half = HOUR.as_secs_f64() / 2.0;
    assert!((half - 60.0..=half).contains(&wait.as_secs_f64()), "{wait:?}");
    assert_eq!(rates.take(&[]).await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn keys_do_not_share(#[values(Real, Embedded)] family: Family) {
    let rates = rates(family).await;
    let asks: Vec<_> = ["a", "b", "a:b", "a", "b", "a"].map(|key| two_per(key, HOUR)).into();
    let taken = rates.take(&asks).await.unwrap();
    let allowed: Vec<_> = taken.iter().map(|rated| rated.allowed).collect();
    assert_eq!(allowed, [true, true, true, true, true, false]);
}

#[rstest]
#[tokio::test]
async fn what_was_taken_is_earned_again(#[values(Real, Embedded)] family: Family) {
    let rates = rates(family).await;
    let ask = two_per("a", Duration::from_millis(100));
    let taken = rates.take(&[ask.clone(), ask.clone()]).await.unwrap();
    assert!(taken.iter().all(|rated| rated.allowed));
    eventually("one is earned", async || {
        rates.take(std::slice::from_ref(&ask)).await.unwrap()[0].allowed.then_some(())
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn what_is_given_back_can_be_taken_again(#[values(Real, Embedded)] family: Family) {
    let rates = rates(family).await;
    let ask = two_per("a", HOUR);
    rates.take(&[ask.clone(), ask.clone()]).await.unwrap();
    rates.give_back(&[ask.clone(), two_per("nobody", HOUR)]).await.unwrap();
    let again = rates.take(&[ask.clone(), ask, two_per("nobody", HOUR)]).await.unwrap();
    let seen: Vec<_> = again.iter().map(|rated| (rated.allowed, rated.remaining())).collect();
    assert_eq!(seen, [(true, 0), (false, 0), (true, 1)]);
}

#[rstest]
#[tokio::test]
async fn many_at_once_take_no_more_than_there_is(#[values(Real, Embedded)] family: Family) {
    let rates = rates(family).await;
    let ask =
        RateAsk { key: "a".into(), policy: RatePolicy::per(NonZeroU32::new(10).unwrap(), HOUR) };
    let batch = vec![ask; 5];
    let all = join_all((0..20).map(|_| rates.take(&batch))).await;
    let allowed = all.iter().flat_map(|taken| taken.as_ref().unwrap()).filter(|r| r.allowed);
    assert_eq!(allowed.count(), 10);
}

#[rstest]
#[tokio::test]
async fn what_one_instance_lets_through_others_learn_of(#[values(Real, Embedded)] family: Family) {
    const BURST: u32 = 1_000;
    let rates = rates(family).await;
    let [one, other] = [Arc::clone(&rates), rates].map(Limiter::start);
    let policy = RatePolicy::per(NonZeroU32::new(BURST).unwrap(), HOUR);
    let ask = RateAsk { key: "a".into(), policy };
    assert!((0..BURST).all(|_| one.take_and_tell(ask.clone()).allowed));
    let mut let_through = 0;
    eventually("the other one refuses", async || {
        let allowed = other.take_and_tell(ask.clone()).allowed;
        let_through += u32::from(allowed);
        (!allowed).then_some(())
    })
    .await;
    // By its own count it would have let a whole burst through.
    assert!(let_through < BURST, "{let_through}");
}
