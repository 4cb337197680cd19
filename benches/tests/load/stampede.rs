//! The stampede against shops that behave, and shops that do not.

use std::time::Duration;

use crate::fake::{API_KEY, Front, PRODUCT, Seller, Shop};
use loadgen::{Mode, Plan, Report, stampede};

const BUYERS: u64 = 300;
const STOCK: i64 = 40;

fn plan(urls: Vec<String>, mode: Mode) -> Plan {
    Plan { connections: 16, api_key: Some(API_KEY.into()), ..Plan::new(urls, mode, BUYERS, STOCK) }
}

async fn asynchronous(seller: Seller) -> Report {
    let url = Shop::new(seller).open("only", Front::Steady).await;
    let timeout = Duration::from_secs(if seller == Seller::Forgets { 3 } else { 60 });
    stampede(Plan { timeout, ..plan(vec![url], Mode::Async) }).await.unwrap()
}

fn assert_found(report: &Report, sentence: &str) {
    assert!(!report.ok);
    assert!(report.problems.iter().any(|problem| problem.contains(sentence)), "{report}");
}

#[tokio::test]
async fn an_honest_seller_passes() {
    let report = asynchronous(Seller::Honest).await;
    assert!(report.ok, "{report}");
    assert_eq!((report.accepted, report.confirmed), (BUYERS, 40));
    assert_eq!(report.refused["OUT_OF_STOCK"], 260);
    assert_eq!((report.lost, report.oversold, report.undersold), (0, 0, 0));
    assert_eq!(report.ledger.sold, STOCK);
    assert!(report.sell_out_ms.is_some());
    assert!((report.latency_ms["settle_p50_ms"] - 250.0).abs() < 1.0, "{report}");
}

#[tokio::test]
async fn an_honest_seller_passes_synchronously_too() {
    let shop = Shop::new(Seller::Honest);
    let urls = vec![shop.open("a", Front::Steady).await, shop.open("b", Front::Steady).await];
    let report = stampede(plan(urls, Mode::Sync)).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!((report.accepted, report.confirmed, report.refused_total), (0, 40, 260));
    let books = shop.books();
    for front in ["a", "b"] {
        assert!(books.purchases_seen.iter().any(|(name, _)| *name == front), "{front} unused");
    }
}

#[tokio::test]
async fn an_oversold_stock_is_found() {
    let report = asynchronous(Seller::Oversells).await;
    assert_eq!((report.confirmed, report.oversold), (45, 5));
    assert_found(&report, "5 units were oversold");
}

#[tokio::test]
async fn a_202_that_is_never_decided_is_lost() {
    let report = asynchronous(Seller::Forgets).await;
    assert_eq!((report.lost, report.confirmed), (1, 39));
    assert_found(&report, "1 accepted purchases were lost");
}

#[tokio::test]
async fn a_202_that_is_denied_afterwards_is_lost() {
    let report = asynchronous(Seller::Denies).await;
    assert_eq!(report.lost, 1);
    assert_found(&report, "1 accepted purchases were lost");
}

#[tokio::test]
async fn confirmations_beyond_the_ledger_are_phantoms() {
    let report = asynchronous(Seller::Invents).await;
    assert_eq!((report.confirmed, report.ledger.sold, report.phantom), (40, 39, 1));
    assert_found(&report, "confirmed to buyers but not sold");
}

#[tokio::test]
async fn a_stock_left_over_while_buyers_were_refused_is_found() {
    let report = asynchronous(Seller::Undersells).await;
    assert_eq!((report.confirmed, report.undersold), (35, 5));
    assert_found(&report, "5 units are left");
}

#[tokio::test]
async fn a_tracking_id_given_out_twice_is_found() {
    let report = asynchronous(Seller::Repeats).await;
    assert_eq!(report.duplicate_tracking_ids, 1);
    assert_eq!(report.confirmed + report.refused_total, BUYERS);
    assert_found(&report, "tracking IDs were given out twice");
}

#[tokio::test]
async fn a_broken_connection_is_retried_with_the_same_key_at_the_next_url() {
    for mode in [Mode::Async, Mode::Sync] {
        let shop = Shop::new(Seller::Honest);
        let urls = vec![
            shop.open("breaks", Front::Breaks).await,
            shop.open("steady", Front::Steady).await,
        ];
        let report = stampede(plan(urls, mode)).await.unwrap();
        assert!(report.ok, "{report}");
        assert_eq!((report.confirmed, report.undelivered), (40, 0));
        // Half of the 16 connections began at the URL that breaks them.
        assert!(report.retries_connection >= 8, "{report}");
        let seen = &shop.books().purchases_seen;
        let broken: Vec<_> = seen.iter().filter(|(name, _)| *name == "breaks").collect();
        assert_eq!(broken.len() as u64, report.retries_connection);
        for (_, key) in broken {
            assert!(key.is_some() && seen.contains(&("steady", key.clone())), "{key:?}");
        }
    }
}

#[tokio::test]
async fn without_a_key_a_broken_connection_leaves_the_buyer_in_doubt() {
    let shop = Shop::new(Seller::Honest);
    let urls =
        vec![shop.open("breaks", Front::Breaks).await, shop.open("steady", Front::Steady).await];
    let report = stampede(Plan { keys: false, ..plan(urls, Mode::Sync) }).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(report.retries_connection, 0);
    assert_eq!(report.unknown, 8);
    assert_eq!(report.confirmed + report.refused_total, BUYERS - 8);
    assert_eq!(report.undelivered, STOCK - i64::try_from(report.confirmed).unwrap());
    assert!(shop.books().purchases_seen.iter().all(|(_, key)| key.is_none()));
}

#[tokio::test]
async fn a_busy_shop_is_asked_again_when_it_says_so() {
    let shop = Shop::new(Seller::Honest);
    let url = shop.open("busy", Front::BusyAtFirst).await;
    let buyers = Plan { buyers: 16, ..plan(vec![url], Mode::Sync) };
    let report = stampede(buyers).await.unwrap();
    assert_eq!(report.retries_busy, 16);
    assert_eq!(report.confirmed, 16);
    assert!(report.latency_ms["ack_p50_ms"] >= 1_000.0, "Retry-After was not honoured: {report}");
    assert!(report.ok, "{report}");
}

#[tokio::test]
async fn a_shop_that_stays_busy_leaves_buyers_without_an_answer() {
    let shop = Shop::new(Seller::Honest);
    let url = shop.open("busy", Front::BusyAtFirst).await;
    let timeout = Duration::from_millis(900);
    let report = stampede(Plan { timeout, ..plan(vec![url], Mode::Sync) }).await.unwrap();
    assert_eq!((report.failed["OVERLOADED"], report.failed["NEVER_SENT"]), (16, BUYERS - 16));
    assert_found(&report, "buyers got no definite answer");
}

#[tokio::test]
async fn the_strike_comes_once_half_is_sold() {
    for mode in [Mode::Async, Mode::Sync] {
        let url = Shop::new(Seller::Honest).open("only", Front::Steady).await;
        let at_half = Some(r#"test "$DOORBUSTER_SOLD" -ge 20"#.to_owned());
        let report = stampede(Plan { at_half, ..plan(vec![url], mode) }).await.unwrap();
        assert!(report.ok, "{report}");
        let strike = report.strike.unwrap();
        assert!((20..=40).contains(&strike.sold_seen), "{strike:?}");
        assert_eq!(strike.exit_code, Some(0));
    }
}

#[tokio::test]
async fn a_strike_that_never_came_is_a_failure() {
    let url = Shop::new(Seller::Honest).open("only", Front::Steady).await;
    let few = Plan { buyers: 10, at_half: Some("true".into()), ..plan(vec![url], Mode::Sync) };
    let report = stampede(few).await.unwrap();
    assert!(report.strike.is_none());
    assert_found(&report, "did not strike");
}

#[tokio::test]
async fn a_product_that_exists_can_be_sold() {
    let shop = Shop::new(Seller::Honest);
    shop.books().stock = 50;
    shop.books().sold = 20;
    let url = shop.open("only", Front::Steady).await;
    let existing = Plan { product: Some(PRODUCT), stock: None, ..plan(vec![url], Mode::Sync) };
    let report = stampede(existing).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!((report.stock, report.confirmed, report.ledger.sold), (30, 30, 50));
}

#[tokio::test]
async fn errors_say_what_to_do_next() {
    let url = Shop::new(Seller::Honest).open("only", Front::Steady).await;
    let no_key = Plan { api_key: None, ..plan(vec![url.clone()], Mode::Sync) };
    assert!(stampede(no_key).await.unwrap_err().to_string().contains("--api-key"));
    let https = plan(vec!["https://127.0.0.1:1".into()], Mode::Sync);
    assert!(stampede(https).await.unwrap_err().to_string().contains("http://"));
    let nobody = Plan { buyers: 0, ..plan(vec![url], Mode::Sync) };
    assert!(stampede(nobody).await.unwrap_err().to_string().contains("--buyers"));
}

#[tokio::test]
async fn the_report_reads_well_and_parses() {
    let report = asynchronous(Seller::Honest).await;
    let text = report.to_string();
    assert!(text.contains("confirmed") && text.contains("OK:"), "{text}");
    let json: serde_json::Value = serde_json::to_value(&report).unwrap();
    for field in ["confirmed", "ack_p99_ms", "outcome_p99_9_ms", "sell_out_ms", "answers_per_s"] {
        assert!(json[field].is_number(), "{field} in {json}");
    }
    assert_eq!(json["ok"], true);
}
