//! More buyers than can be served.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use shared::adapters::family;
use shared::config::Config;
use shared::domain::{IdempotencyKey, UserId};
use shared::testing::eventually;

use crate::support::{Switches, TestApp, buy_body, send, turn};

const ASYNC: &str = "/api/v1/async/purchase";
const BUYERS: usize = 10;
const IN_LINE: usize = 3;

/// One purchase in a message, one message at a time, and a short line.
fn narrow(config: &mut Config) {
    config.admit.batch_max = NonZeroUsize::MIN;
    config.admit.line_max = NonZeroUsize::new(IN_LINE).unwrap();
    config.admit.wait_max = Duration::MAX;
    config.admit.timeout = Duration::from_secs(60);
}

#[tokio::test]
async fn who_is_too_many_hears_so_at_once_and_all_who_were_accepted_are_served() {
    let switches = Switches::default();
    let ports = family::embedded();
    let keys = Arc::clone(&ports.idempotency);
    let app = TestApp::over(switches.before(ports), 100, narrow).await;
    let buy = |number: usize| {
        let (addr, body) = (app.addr, buy_body(&format!("u-{number}"), 1).to_string());
        let json = [("content-type", "application/json")];
        tokio::spawn(async move { send(addr, "POST", ASYNC, &json, body).await })
    };
    turn(&switches.broker_silent);
    let first = buy(0);
    eventually("the first is being published", async || {
        (switches.published.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;

    let mut answers: FuturesUnordered<_> = (1..BUYERS).map(buy).collect();
    for _ in IN_LINE + 1..BUYERS {
        // The others are still waiting for the broker.
        let refused = answers.next().await.unwrap().unwrap();
        refused.problem(503, "OVERLOADED");
        assert_eq!(refused.header("retry-after"), "1");
    }
    // A key of theirs is not even remembered.
    let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    let keyed = send(app.addr, "POST", ASYNC, &headers, buy_body("u-k", 1).to_string()).await;
    keyed.problem(503, "OVERLOADED");
    let key = (UserId::parse("u-k").unwrap(), IdempotencyKey::parse("k-1").unwrap());
    assert_eq!(keys.recall(&[key]).await.unwrap(), [None]);

    switches.broker_silent.store(false, Ordering::SeqCst);
    answers.push(first);
    app.work();
    let mut accepted = 0;
    while let Some(answer) = answers.next().await {
        accepted += 1;
        let id = answer.unwrap().ok(202)["trackingId"].as_str().unwrap().to_owned();
        let outcome = app.get(&format!("/api/v1/purchases/{id}?wait=20")).await.ok(200);
        assert_eq!(outcome["status"], "CONFIRMED");
    }
    assert_eq!((accepted, app.available().await), (4, 96));
}
