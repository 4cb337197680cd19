//! Measured runs against shops that behave, and shops that do not.

use std::time::Duration;

use crate::fake::{API_KEY, Front, STALL, Seller, Shop};
use loadgen::measure::{Arrivals, Measurement};
use loadgen::{Follow, Load, Scenario, Watched, measure};

const CONNECTIONS: usize = 4;

/// Half a second measured, a tenth before.
fn load(url: String, scenario: Scenario, arrivals: Arrivals) -> Load {
    Load {
        duration: Duration::from_millis(500),
        warm_up: Duration::from_millis(100),
        stock: 100_000,
        api_key: Some(API_KEY.into()),
        follow: Follow::Sample { every: 4 },
        patience: Duration::from_secs(1),
        ..Load::new(vec![url], scenario, arrivals)
    }
}

fn open(per_s: f64) -> Arrivals {
    Arrivals::Open { rates: vec![(0.0, per_s)], connections: CONNECTIONS }
}

fn closed() -> Arrivals {
    Arrivals::Closed { connections: CONNECTIONS }
}

async fn run(seller: Seller, front: Front, scenario: Scenario, arrivals: Arrivals) -> Measurement {
    let url = Shop::new(seller).open("only", front).await;
    measure(load(url, scenario, arrivals)).await.unwrap()
}

async fn settle_with(seller: Seller) -> Measurement {
    run(seller, Front::Steady, Scenario::Settle, open(200.0)).await
}

fn assert_ok(found: &Measurement) {
    assert!(found.problems.is_empty(), "{found}");
}

fn assert_found(found: &Measurement, sentence: &str) {
    assert!(found.problems.iter().any(|problem| problem.contains(sentence)), "{found}");
}

fn refused_and_failed(found: &Measurement) -> u64 {
    found.refused.values().chain(found.failed.values()).sum()
}

#[tokio::test]
async fn every_arrival_of_an_open_loop_comes_as_scheduled_and_is_accounted_for() {
    let shop = Shop::new(Seller::Honest);
    let url = shop.open("only", Front::Steady).await;
    let rates = vec![(0.0, 100.0), (0.25, 1_000.0), (0.4, 0.0)];
    let arrivals = Arrivals::Open { rates, connections: CONNECTIONS };
    let found = measure(load(url, Scenario::Settle, arrivals)).await.unwrap();
    assert_ok(&found);
    // 0.25 s at 100 and 0.15 s at 1,000 per second; 0.1 s at 100 before.
    assert!((174..=176).contains(&found.due), "{found}");
    let sent = shop.books().purchases_seen.len();
    assert!((184..=186).contains(&sent), "{sent}");
    assert_eq!(found.answered + found.dropped + refused_and_failed(&found), found.due);
    assert_eq!(found.ended["CONFIRMED"], sent as u64);
    assert_eq!(found.lost, Some(0));
}

#[tokio::test]
async fn latency_counts_from_the_schedule_so_a_stall_shows_to_all_who_were_due_in_it() {
    let found = run(Seller::Honest, Front::StallsOnce, Scenario::Accept, open(500.0)).await;
    assert_ok(&found);
    // The stall begins before the middle: 300 ms of 500 are stalled, and who was due in its first
    // 200 ms (40 of 100) waits for 100 ms at least, although only four requests were under way.
    let acknowledged = found.acknowledged.unwrap();
    assert_eq!(acknowledged.count, found.due);
    let few = 100.0 * CONNECTIONS as f64 / found.due as f64;
    assert!(few < 5.0 && acknowledged.p90 >= 100.0, "{found}");
    assert!(acknowledged.max >= STALL.as_secs_f64() * 900.0, "{found}");
}

#[tokio::test]
async fn arrivals_that_nobody_took_in_time_are_dropped_and_reported() {
    let url = Shop::new(Seller::Honest).open("only", Front::StallsOnce).await;
    let impatient =
        Load { late_max: Duration::from_millis(50), ..load(url, Scenario::Settle, open(500.0)) };
    let found = measure(impatient).await.unwrap();
    // Who was due in the first 250 ms of the stall are about 125.
    assert!(found.dropped >= 50, "{found}");
    assert_eq!(found.answered + found.dropped + refused_and_failed(&found), found.due);
    assert_ok(&found);
}

#[tokio::test]
async fn a_closed_loop_follows_a_sample_and_looks_up_everything() {
    let found = run(Seller::Honest, Front::Steady, Scenario::Settle, closed()).await;
    assert_ok(&found);
    assert_eq!(found.scenario, "settle");
    assert!(found.answered > 0 && found.settled_per_s.unwrap() > 0.0, "{found}");
    let followed = found.outcome.unwrap().count;
    assert!(followed > 0 && followed < found.answered, "{found}");
    assert!(found.ended["CONFIRMED"] >= found.answered, "the warm-up counts for the books");
    assert!(found.drained_s.is_some() && found.lost == Some(0), "{found}");
    let (ticks, last) = (&found.ticks, found.ticks.last().unwrap());
    assert!(ticks.is_sorted_by(|one, next| one.at_s < next.at_s));
    assert!(last.settled.is_some() && last.waiting.is_some());
    assert_eq!(found.processes.last().unwrap().name, "load");
}

#[tokio::test]
async fn buyers_who_poll_learn_every_outcome() {
    let url = Shop::new(Seller::Honest).open("only", Front::Steady).await;
    let polling = Load { follow: Follow::Poll, ..load(url, Scenario::Settle, open(40.0)) };
    let found = measure(polling).await.unwrap();
    assert_ok(&found);
    assert_eq!(found.scenario, "settle-polling");
    assert_eq!(found.outcome.unwrap().count, found.answered);
}

#[tokio::test]
async fn a_202_that_is_never_decided_is_lost() {
    let found = settle_with(Seller::Forgets).await;
    assert_eq!(found.lost, Some(1));
    assert_found(&found, "1 accepted purchases were lost");
}

#[tokio::test]
async fn a_202_that_is_denied_afterwards_is_lost() {
    let found = settle_with(Seller::Denies).await;
    assert_eq!(found.lost, Some(1));
    assert_found(&found, "1 accepted purchases were lost");
}

#[tokio::test]
async fn a_tracking_id_given_out_twice_is_found() {
    assert_found(&settle_with(Seller::Repeats).await, "1 tracking IDs were given out twice");
}

#[tokio::test]
async fn endings_that_do_not_agree_with_the_stock_are_found() {
    assert_found(&settle_with(Seller::Invents).await, "were taken from the stock");
}

#[tokio::test]
async fn broken_connections_are_failures_and_not_repeated() {
    let shop = Shop::new(Seller::Honest);
    let url = shop.open("only", Front::Breaks).await;
    let found = measure(load(url, Scenario::Accept, open(100.0))).await.unwrap();
    assert_eq!(found.failed["CONNECTION_BROKEN"], found.due);
    assert_found(&found, "CONNECTION_BROKEN");
    assert_found(&found, "nothing was answered");
    let seen = &shop.books().purchases_seen;
    let mut keys: Vec<_> = seen.iter().map(|(_, key)| key.as_deref().unwrap()).collect();
    keys.sort_unstable();
    assert!(keys.is_sorted_by(|one, next| one < next), "a key was sent twice");
}

#[tokio::test]
async fn refusals_count_by_code() {
    let found = run(Seller::Honest, Front::BusyAtFirst, Scenario::Accept, open(100.0)).await;
    assert_eq!(found.refused["OVERLOADED"], found.due);
    assert_eq!((found.answered, found.failed.len()), (0, 0));
    assert_eq!((found.turned_away.unwrap().count, found.acknowledged), (found.due, None));
}

#[tokio::test]
async fn of_what_is_sold_out_the_refusal_is_asked_for() {
    let found = run(Seller::Honest, Front::RefusesAtTheEdge, Scenario::SoldOut, open(200.0)).await;
    assert_ok(&found);
    assert_eq!((found.answered, found.due), (100, 100));
    assert!(found.refused.is_empty() && found.settled_per_s.is_none());
    // A 202 is not.
    let found = run(Seller::Honest, Front::Steady, Scenario::SoldOut, open(200.0)).await;
    assert_eq!(found.failed["UNEXPECTED_202"], 100);
}

#[tokio::test]
async fn the_other_scenarios_get_what_they_ask_for() {
    for (scenario, is_followed) in [
        (Scenario::Accept, false),
        (Scenario::Sync, false),
        (Scenario::Reads { polls: 0.5 }, false),
        (Scenario::Mixed { purchases: 0.2 }, true),
        (Scenario::Holds, false),
        (Scenario::HoldsAsync, true),
    ] {
        let found = run(Seller::Honest, Front::Steady, scenario, open(200.0)).await;
        assert_ok(&found);
        assert_eq!((found.answered, found.due), (100, 100), "{found}");
        assert_eq!(found.scenario, scenario.name());
        assert_eq!(found.lost, is_followed.then_some(0), "{found}");
        let takes_units = !matches!(scenario, Scenario::Reads { .. });
        assert_eq!(found.settled_per_s.is_some(), takes_units, "{found}");
    }
}

#[tokio::test]
async fn without_keys_no_purchase_has_one() {
    let shop = Shop::new(Seller::Honest);
    let url = shop.open("only", Front::Steady).await;
    for scenario in [Scenario::Accept, Scenario::HoldsAsync] {
        let keyless = Load { keys: false, ..load(url.clone(), scenario, open(50.0)) };
        assert_ok(&measure(keyless).await.unwrap());
    }
    assert!(shop.books().purchases_seen.iter().all(|(_, key)| key.is_none()));
}

#[tokio::test]
async fn errors_say_what_to_do_next() {
    let url = Shop::new(Seller::Honest).open("only", Front::Steady).await;
    let good = load(url, Scenario::Settle, open(10.0));
    let rates = |rates| Arrivals::Open { rates, connections: 1 };
    let nobody = Watched { name: "api".into(), pid: u32::MAX };
    for (wrong, advice) in [
        (Load { api_key: None, ..good.clone() }, "--api-key"),
        (Load { urls: Vec::new(), ..good.clone() }, "--url"),
        (Load { urls: vec!["https://localhost".into()], ..good.clone() }, "http://"),
        (Load { duration: Duration::ZERO, ..good.clone() }, "--duration-s"),
        (Load { stock: 0, ..good.clone() }, "--stock"),
        (Load { arrivals: Arrivals::Closed { connections: 0 }, ..good.clone() }, "--connections"),
        (Load { arrivals: rates(vec![(1.0, 5.0)]), ..good.clone() }, "begin at second 0"),
        (Load { arrivals: rates(vec![(0.0, f64::NAN)]), ..good.clone() }, "a rate must be"),
        (Load { arrivals: rates(vec![(0.0, 1.0), (0.0, 2.0)]), ..good.clone() }, "must rise"),
        (Load { scenario: Scenario::Reads { polls: 2.0 }, ..good.clone() }, "--polls"),
        (Load { follow: Follow::Sample { every: 0 }, ..good.clone() }, "--follow-every"),
        (Load { processes: vec![nobody], ..good.clone() }, "--process api"),
        (Load { postgres: Some("postgres://127.0.0.1:1/x".into()), ..good }, "--postgres"),
    ] {
        let error = measure(wrong).await.unwrap_err().to_string();
        assert!(error.contains(advice), "{advice} in {error}");
    }
}

#[tokio::test]
async fn a_measurement_reads_well_and_is_read_back_from_its_json() {
    let found = settle_with(Seller::Honest).await;
    let text = found.to_string();
    for part in ["open loop, 200/s", "answered", "looked up afterwards", "outcome", "OK"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Measurement>(&json).unwrap(), found);
}
