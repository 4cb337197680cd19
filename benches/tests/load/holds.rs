//! Buyers who hold first, in shops that behave and shops that do not.

use std::time::Duration;

use crate::fake::{API_KEY, Front, Payments, Seller, Shop};
use loadgen::{Findings, Holds, Mode, Plan, Report, stampede};

const BUYERS: u64 = 300;
const STOCK: i64 = 40;
const WAYS: [Mode; 2] = [Mode::Async, Mode::Sync];

const ALL_CHECK_OUT: Holds = Holds { hold: 1.0, checkout: 1.0, abandon: 0.0, expiry_wait: None };
const ALL_ABANDON: Holds = Holds { hold: 1.0, checkout: 0.0, abandon: 1.0, expiry_wait: None };
const ALL_CANCEL: Holds = Holds { hold: 1.0, checkout: 0.0, abandon: 0.0, expiry_wait: None };

fn plan(urls: Vec<String>, mode: Mode, holds: Holds) -> Plan {
    let api_key = Some(API_KEY.into());
    Plan { connections: 16, api_key, holds, ..Plan::new(urls, mode, BUYERS, STOCK) }
}

/// A shop whose holds last for so long.
fn shop(seller: Seller, hold_time: Duration) -> Shop {
    let shop = Shop::new(seller);
    shop.books().hold_time = hold_time;
    shop
}

async fn run(shop: &Shop, mode: Mode, holds: Holds) -> Report {
    let url = shop.open("only", Front::Steady).await;
    stampede(plan(vec![url], mode, holds)).await.unwrap()
}

fn holds(report: &Report) -> &Findings {
    report.holds.as_ref().unwrap()
}

fn assert_found(report: &Report, sentence: &str) {
    assert!(!report.ok);
    assert!(report.problems.iter().any(|problem| problem.contains(sentence)), "{report}");
}

#[tokio::test]
async fn every_hold_that_is_checked_out_is_sold() {
    for mode in WAYS {
        let report = run(&Shop::new(Seller::Honest), mode, ALL_CHECK_OUT).await;
        assert!(report.ok, "{report}");
        assert_eq!((holds(&report).granted, holds(&report).confirmed), (40, 40));
        assert_eq!((report.confirmed, report.ledger.sold, report.refused_total), (40, STOCK, 260));
        assert!(report.latency_ms.contains_key("hold_ack_p99_ms"), "{report}");
        assert!(report.latency_ms.contains_key("checkout_p99_ms"), "{report}");
        assert!(!report.latency_ms.contains_key("ack_p99_ms"), "nobody bought: {report}");
        assert!(holds(&report).expiry.is_none(), "nothing to wait for: {report}");
    }
}

#[tokio::test]
async fn holds_and_purchases_share_the_stock_and_have_rates_of_their_own() {
    for mode in WAYS {
        let half = Holds { hold: 0.5, ..ALL_CHECK_OUT };
        let report = run(&Shop::new(Seller::Honest), mode, half).await;
        assert!(report.ok, "{report}");
        assert_eq!((report.confirmed, report.ledger.sold), (40, STOCK));
        assert!((1..40).contains(&holds(&report).confirmed), "{report}");
        let found = holds(&report);
        assert!(found.purchases_per_s > 0.0 && found.holds_per_s > 0.0, "{report}");
        assert!(found.hold_to_purchase_rate.is_some(), "{report}");
    }
}

#[tokio::test]
async fn cancelled_units_are_offered_again_and_none_is_missed() {
    for mode in WAYS {
        let report = run(&Shop::new(Seller::Honest), mode, ALL_CANCEL).await;
        assert!(report.ok, "{report}");
        assert!(holds(&report).cancelled >= 40, "{report}");
        assert_eq!(holds(&report).cancelled, holds(&report).granted);
        assert_eq!((report.ledger.available, report.undersold), (STOCK, 0));
    }
}

#[tokio::test]
async fn abandoned_holds_come_back_after_their_deadline() {
    for mode in WAYS {
        let shop = shop(Seller::Honest, Duration::from_secs(1));
        let report = run(&shop, mode, ALL_ABANDON).await;
        assert!(report.ok, "{report}");
        let found = holds(&report);
        assert_eq!(found.abandoned, found.granted);
        assert_eq!((found.expired, report.ledger.available), (found.abandoned, STOCK));
        let expiry = found.expiry.as_ref().unwrap();
        assert!(expiry.all_back && expiry.back_after_ms.unwrap() >= -1.0, "{expiry:?}");
    }
}

#[tokio::test]
async fn who_does_not_wait_leaves_the_holds_in_the_ledger() {
    let no_wait = Holds { expiry_wait: Some(Duration::ZERO), ..ALL_ABANDON };
    let report = run(&Shop::new(Seller::Honest), Mode::Sync, no_wait).await;
    assert!(report.ok, "{report}");
    assert_eq!((report.ledger.reserved, holds(&report).expired), (40, 0));
    assert!(holds(&report).expiry.is_none());
}

#[tokio::test]
async fn a_payment_that_is_pending_keeps_the_unit_reserved() {
    let shop = Shop::new(Seller::Honest);
    shop.books().payments = Payments::Pend;
    let report = run(&shop, Mode::Sync, ALL_CHECK_OUT).await;
    assert!(report.ok, "{report}");
    assert_eq!((holds(&report).pending, report.ledger.reserved, report.confirmed), (40, 40, 0));
}

#[tokio::test]
async fn a_declined_payment_is_an_outcome() {
    let shop = Shop::new(Seller::Honest);
    shop.books().payments = Payments::Decline;
    let report = run(&shop, Mode::Async, ALL_CHECK_OUT).await;
    assert!(report.ok, "{report}");
    assert_eq!(holds(&report).declined, holds(&report).granted);
    assert_eq!((report.ledger.available, report.confirmed), (STOCK, 0));
}

#[tokio::test]
async fn the_same_run_has_the_same_holders() {
    let mixed = Holds { hold: 0.5, checkout: 0.5, abandon: 0.25, expiry_wait: None };
    let mut granted = Vec::new();
    for _ in 0..2 {
        let shop = shop(Seller::Honest, Duration::from_secs(1));
        let url = shop.open("only", Front::Steady).await;
        let everybody = Plan { stock: Some(1_000), ..plan(vec![url], Mode::Sync, mixed) };
        let report = stampede(everybody).await.unwrap();
        assert!(report.ok, "{report}");
        let found = holds(&report);
        granted.push([found.granted, found.confirmed, found.abandoned, found.cancelled]);
    }
    assert_eq!(granted[0], granted[1]);
    assert!(granted[0].iter().zip([150, 75, 37, 38]).all(|(is, about)| is.abs_diff(about) <= 3));
}

#[tokio::test]
async fn a_checkout_that_is_cut_off_is_repeated_with_the_same_transaction() {
    for holds_do in [ALL_CHECK_OUT, ALL_CANCEL] {
        for mode in WAYS {
            let shop = Shop::new(Seller::Honest);
            let urls = vec![
                shop.open("breaks", Front::Breaks).await,
                shop.open("steady", Front::Steady).await,
            ];
            // The first URL again and again, so that the second request breaks as well.
            let report = stampede(Plan { connections: 4, ..plan(urls, mode, holds_do) }).await;
            let report = report.unwrap();
            assert!(report.ok, "{report}");
            let is_checkout = holds_do == ALL_CHECK_OUT;
            assert_eq!(report.ledger.sold, if is_checkout { STOCK } else { 0 });
            let books = shop.books();
            for (name, errand) in &books.errands_seen {
                let again = ("steady", errand.clone());
                assert!(*name == "steady" || books.errands_seen.contains(&again), "{errand}");
            }
        }
    }
}

#[tokio::test]
async fn a_lost_hold_is_found_at_checkout_and_in_the_ledger() {
    for mode in WAYS {
        let report = run(&Shop::new(Seller::LosesAHold), mode, ALL_CHECK_OUT).await;
        assert_eq!(holds(&report).gone["RESERVATION_NOT_FOUND"], 1);
        assert_found(&report, "1 holds were gone before their time");

        let shop = shop(Seller::LosesAHold, Duration::from_secs(3));
        let report = run(&shop, mode, ALL_ABANDON).await;
        assert_eq!((holds(&report).missing, holds(&report).overpromised), (1, 1));
        assert_found(&report, "1 units on hold were not reserved");
    }
}

#[tokio::test]
async fn a_202_for_a_hold_that_is_never_decided_is_lost() {
    let url = Shop::new(Seller::Forgets).open("only", Front::Steady).await;
    let timeout = Duration::from_secs(3);
    let report = stampede(Plan { timeout, ..plan(vec![url], Mode::Async, ALL_CHECK_OUT) }).await;
    let report = report.unwrap();
    assert_eq!((report.lost, report.confirmed, report.ledger.reserved), (1, 39, 1));
    assert_eq!(holds(&report).stuck, 0, "it may be reserved: {report}");
    assert_found(&report, "1 accepted purchases were lost");
}

#[tokio::test]
async fn an_expired_unit_that_is_sold_twice_is_found() {
    for mode in WAYS {
        let report = run(&Shop::new(Seller::SellsExpired), mode, ALL_CHECK_OUT).await;
        assert_eq!((report.confirmed, report.oversold), (41, 1));
        assert_found(&report, "1 units were oversold");
        assert_found(&report, "1 units were promised to two buyers at once");
    }
}

#[tokio::test]
async fn holds_beyond_the_stock_are_found_although_all_of_them_come_back() {
    let shop = shop(Seller::Oversells, Duration::from_secs(3));
    let report = run(&shop, Mode::Sync, ALL_ABANDON).await;
    assert_eq!((report.oversold, report.ledger.available), (0, STOCK));
    assert_found(&report, "5 units were promised to two buyers at once");
}

#[tokio::test]
async fn a_hold_that_is_cut_short_is_found() {
    for holds_do in [ALL_CHECK_OUT, ALL_CANCEL] {
        let report = run(&Shop::new(Seller::CutsShort), Mode::Sync, holds_do).await;
        assert_eq!(holds(&report).gone["RESERVATION_EXPIRED"], 1);
        assert_found(&report, "1 holds were gone before their time");
    }
}

#[tokio::test]
async fn holds_that_never_come_back_are_found() {
    let shop = shop(Seller::KeepsExpired, Duration::from_millis(500));
    let soon = Holds { expiry_wait: Some(Duration::from_secs(2)), ..ALL_ABANDON };
    let report = run(&shop, Mode::Sync, soon).await;
    assert_eq!((holds(&report).stuck, holds(&report).expired), (40, 0));
    assert!(!holds(&report).expiry.as_ref().unwrap().all_back);
    assert_found(&report, "40 units are still reserved although their hold is over");
}

#[tokio::test]
async fn a_checkout_that_the_ledger_does_not_know_is_a_phantom() {
    let report = run(&Shop::new(Seller::Invents), Mode::Sync, ALL_CHECK_OUT).await;
    assert_eq!((report.confirmed, report.phantom), (40, 1));
    assert_found(&report, "confirmed to buyers but not sold");
}

#[tokio::test]
async fn units_that_nobody_held_are_undersold_with_holds_too() {
    let report = run(&Shop::new(Seller::Undersells), Mode::Sync, ALL_CHECK_OUT).await;
    assert_eq!(report.undersold, 5);
    assert_found(&report, "5 units are left");
}

#[tokio::test]
async fn the_strike_comes_once_half_is_held() {
    let url = shop(Seller::Honest, Duration::from_millis(500)).open("only", Front::Steady).await;
    let at_half = Some(r#"test "$DOORBUSTER_SOLD" -ge 20"#.to_owned());
    let report = stampede(Plan { at_half, ..plan(vec![url], Mode::Sync, ALL_ABANDON) }).await;
    let report = report.unwrap();
    assert_eq!(report.strike.as_ref().unwrap().exit_code, Some(0));
    assert!(report.ok, "{report}");
}

#[tokio::test]
async fn shares_out_of_range_are_refused() {
    let refused = async |holds: Holds| {
        let plan = plan(vec!["http://127.0.0.1:1".into()], Mode::Sync, holds);
        stampede(plan).await.unwrap_err().to_string()
    };
    assert!(refused(Holds { hold: 1.5, ..ALL_CHECK_OUT }).await.contains("--hold must be 0 to 1"));
    assert!(refused(Holds { abandon: 0.5, ..ALL_CHECK_OUT }).await.contains("together at most 1"));
}

#[tokio::test]
async fn the_report_shows_the_holds() {
    let shop = shop(Seller::Honest, Duration::from_secs(1));
    let mixed = Holds { hold: 0.8, checkout: 0.5, abandon: 0.25, expiry_wait: None };
    let report = run(&shop, Mode::Async, mixed).await;
    assert!(report.ok, "{report}");
    let text = report.to_string();
    for row in ["holds granted", "checked out", "abandoned", "expired", "back after", "checkout"] {
        assert!(text.contains(row), "{row} in {text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    for field in ["granted", "confirmed", "cancelled", "abandoned", "expired", "holds_per_s"] {
        assert!(json["holds"][field].is_number(), "{field} in {json}");
    }
    assert!(json["hold_outcome_p99_ms"].is_number() && json["holds"]["expiry"].is_object());
}
