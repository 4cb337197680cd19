//! Dead letters end to end: what a ledger refuses is parked, and an operator deals with it.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use serde_json::{Value, json};
use support::{Client, Stack, eventually};

/// Has the ledger refuse whatever these two buy.
const FAULT: &str = "alter table orders add constraint orders_fault
    check (user_id is null or user_id not in ('bob', 'eve'))";
const REPAIR: &str = "alter table orders drop constraint orders_fault";

async fn letters(stack: &Stack, count: usize) -> Vec<Value> {
    eventually("the letters are listed", async || {
        let (_, list) = stack.dlq(&["list"]);
        let letters = list["deadLetters"].as_array().unwrap().clone();
        (letters.len() == count).then_some(letters)
    })
    .await
}

async fn parked(client: &Client, product: i64, user: &str) -> String {
    let id = client.buy("async", product, user).await.text("trackingId");
    eventually("it is parked", async || {
        let purchase = client.get(&format!("/api/v1/purchases/{id}")).await;
        (purchase.body["status"] == "PARKED").then_some(())
    })
    .await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_replays_what_was_repaired_and_discards_the_rest() {
    let mut stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let metrics = format!("127.0.0.1:{}", support::free_port());
    stack.set("DOORBUSTER__METRICS__ADDR", &metrics);
    let _worker = stack.worker();
    let product = client.add_product("DLQ", 5).await;
    stack.servers.database.run(FAULT).await;
    stack.servers.vhost.publish("purchases", "purchase", b"\xffnot an envelope").await;
    let (bob, eve) = (parked(&client, product, "bob").await, parked(&client, product, "eve").await);
    assert_eq!(
        client.outcome(&client.buy("async", product, "ann").await.text("trackingId")).await["status"],
        "CONFIRMED"
    );

    let all = letters(&stack, 3).await;
    let letter = |order: &str| all.iter().find(|letter| letter["orderId"] == order).unwrap();
    assert_eq!((&letter(&bob)["status"], &letter(&bob)["attempts"]), (&json!("PARKED"), &json!(3)));
    assert_eq!(letter(&eve)["purchases"][0]["userId"], "eve");
    let garbage = all.iter().find(|letter| letter["orderId"].is_null()).unwrap();
    let (_, shown) = stack.dlq(&["show", &garbage["id"].to_string()]);
    assert_eq!(shown["body"], "/25vdCBhbiBlbnZlbG9wZQ==");

    let gauges = eventually("the worker measures them", async || {
        let metrics =
            Client::new(format!("http://{metrics}")).try_send("GET", "/", &[], None).await;
        let text = metrics?.body.as_str()?.to_owned();
        text.contains("doorbuster_dead_letters_waiting 3").then_some(text)
    })
    .await;
    let oldest =
        gauges.lines().find_map(|line| line.strip_prefix("doorbuster_dead_letter_oldest_seconds "));
    assert!(oldest.unwrap().parse::<f64>().unwrap() > 0.0, "{oldest:?}");

    // Nothing was repaired yet: it is the same letter again.
    let (fine, moved) = stack.dlq(&["replay", &bob, "--as", "ann"]);
    assert_eq!((fine, &moved["changed"]), (true, &json!(1)));
    eventually("its replay has failed", async || {
        let (_, letter) = stack.dlq(&["show", &bob]);
        (letter["attempts"] == 6 && letter["replayedAt"].is_null()).then_some(())
    })
    .await;

    let (fine, moved) = stack.dlq(&["discard", &eve]);
    assert_eq!((fine, &moved["changed"]), (true, &json!(1)));
    let outcome = client.outcome(&eve).await;
    assert_eq!((&outcome["status"], &outcome["reason"]), (&json!("REJECTED"), &json!("DISCARDED")));
    let (fine, moved) = stack.dlq(&["discard", &eve]);
    assert_eq!((fine, &moved["changed"], &moved["unchanged"]), (true, &json!(0), &json!(1)));

    stack.servers.database.run(REPAIR).await;
    let (fine, moved) = stack.dlq(&["replay", "--all", "--rate", "10"]);
    assert_eq!((fine, &moved["changed"]), (true, &json!(1)), "garbage is not meant");
    assert_eq!(client.outcome(&bob).await["status"], "CONFIRMED");
    assert!(!stack.dlq(&["discard", &bob]).0, "it is sold");
    let (fine, moved) = stack.dlq(&["replay", &garbage["id"].to_string()]);
    assert_eq!((fine, &moved["refused"][0]["code"]), (false, &json!("NOT_REPLAYABLE")));
    assert_eq!(stack.dlq(&["discard", "--all"]).1["changed"], 1);

    assert!(letters(&stack, 0).await.is_empty());
    eventually("the dead-letter queue is empty", async || {
        let queue = client.get("/api/v1/async/queue/status").await;
        (queue.body["deadLetters"] == 0).then_some(())
    })
    .await;
    stack.healthy().await;
    let log = "select actor || ' ' || action from audit_log where subject like 'dead-letters/%' order by id";
    let log = stack.servers.database.run(log).await;
    assert_eq!(log.len(), 4, "{log:?}");
    assert_eq!(log[0], "cli:ann dead-letter.replay");
    let stock = client.get(&format!("/api/v1/sync/stock/{product}")).await;
    assert_eq!(stock.body["stock"], 3);
}
