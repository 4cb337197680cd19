//! Drift planted by hand on the real servers: it is told, and what a heartbeat can heal it heals
//! within two seconds.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use std::sync::Arc;
use std::time::Duration;

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use shared::ports::{Clock, SystemClock};
use support::{Client, Stack, eventually};
use tokio::time::timeout;

/// Gate and boards are right again so long after they were made wrong.
const HEALED_WITHIN: Duration = Duration::from_secs(2);

/// The gate of one product, as a hand reaches it.
struct Gate {
    redis: MultiplexedConnection,
    key: String,
}

impl Gate {
    async fn of(stack: &Stack, product: i64) -> Self {
        let client = redis::Client::open(&*stack.servers.redis_url).unwrap();
        let redis = client.get_multiplexed_async_connection().await.unwrap();
        Self { redis, key: format!("{{p:{product}}}:gate") }
    }

    async fn set(&mut self, field: &str, value: i64) {
        let _: () = self.redis.hset(&self.key, field, value).await.unwrap();
    }

    async fn delete(&mut self) {
        let _: () = self.redis.del(&self.key).await.unwrap();
    }

    /// Free units and version.
    async fn read(&mut self) -> (Option<i64>, Option<i64>) {
        self.redis.hmget(&self.key, &["free", "version"]).await.unwrap()
    }

    /// Waits until a heartbeat has brought it to `free` and `version`.
    async fn is(&mut self, free: i64, version: i64) {
        eventually("the gate is what the ledger has", async || {
            (self.read().await == (Some(free), Some(version))).then_some(())
        })
        .await;
    }
}

/// Waits until a metric has at least this value.
async fn reaches(program: &Client, metric: &str, value: f64) {
    eventually(&format!("{metric} reaches {value}"), async || {
        (program.metric(metric).await? >= value).then_some(())
    })
    .await;
}

/// The finding of this kind.
fn finding<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let mut all = report["findings"].as_array().unwrap().iter();
    all.find(|finding| finding["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {report}"))
}

fn kinds(report: &Value) -> Vec<String> {
    let kind = |finding: &Value| {
        format!("{} {}", finding["invariant"].as_str().unwrap(), finding["kind"].as_str().unwrap())
    };
    report["findings"].as_array().unwrap().iter().map(kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_drifted_is_put_right_within_two_seconds_and_told() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let (_worker, worker) = stack.measured_worker();
    let product = client.add_product("GATE", 10).await;
    assert_eq!(client.buy("sync", product, "u-1").await.status, 200);
    let mut gate = Gate::of(&stack, product).await;
    gate.is(9, 2).await;
    // A drift is what a heartbeat finds unlike the last one left it, so there must have been one.
    reaches(&worker, "doorbuster_active_products", 1.0).await;
    reaches(&worker, "doorbuster_gate_ahead_products", 0.0).await;

    for kind in ["surplus", "short", "missing", "behind"] {
        let metric = format!("doorbuster_gate_drift_healed_total{{kind=\"{kind}\"}}");
        let before = worker.metric(&metric).await.unwrap();
        match kind {
            "surplus" => gate.set("free", 1_000).await,
            "short" => gate.set("free", 1).await,
            "missing" => gate.delete().await,
            _ => gate.set("version", 0).await,
        }
        timeout(HEALED_WITHIN, gate.is(9, 2)).await.unwrap_or_else(|_| panic!("{kind}"));
        reaches(&worker, &metric, before + 1.0).await;
    }
    reaches(&worker, "doorbuster_gate_drift_seconds_count", 4.0).await;
    stack.healthy().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_ahead_of_the_ledger_is_told_and_stops_no_sale() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let (_worker, worker) = stack.measured_worker();
    let product = client.add_product("AHEAD", 3).await;
    let mut gate = Gate::of(&stack, product).await;
    gate.is(3, 1).await;

    gate.set("version", 1_000).await;
    gate.set("free", 0).await;
    reaches(&worker, "doorbuster_gate_ahead_products", 1.0).await;
    reaches(&worker, "doorbuster_gate_ahead_oldest_seconds", 1.0).await;
    let (healthy, report) = stack.audit();
    assert!(!healthy && report["products"][0]["gateMatches"] == false, "{report}");
    let ahead = finding(&report, "GATE_AHEAD");
    assert_eq!((&ahead["invariant"], &ahead["count"]), (&json!("I3"), &json!(1)));
    let case = json!({"productId": product, "what": "version", "found": 1_000, "expected": 1});
    assert_eq!(ahead["cases"], json!([case]));
    let (_, table) = stack.audit_table();
    let line = format!("product {product}: version 1000, expected 1");
    assert!(table.contains(&line) && table.contains("NOT HEALTHY"), "{table}");

    // It says that nothing is left, for ever; the ledger overrules it.
    for user in ["u-1", "u-2", "u-3"] {
        assert_eq!(client.buy("sync", product, user).await.status, 200);
    }
    assert_eq!(gate.read().await, (Some(0), Some(1_000)), "no heartbeat heals it");
    gate.delete().await;
    gate.is(0, 4).await;
    eventually("it is no longer ahead", async || {
        (worker.metric("doorbuster_gate_ahead_products").await? == 0.0).then_some(())
    })
    .await;
    stack.healthy().await;
}

/// Waits until everything that was committed is announced.
async fn announced(stack: &Stack) {
    eventually("the outbox is empty", async || (stack.audit().1["outbox"] == 0).then_some(()))
        .await;
}

/// Tells all boards that `sold` of 10 units are sold at `version`.
async fn forge(stack: &Stack, product: i64, version: i64, sold: i64) {
    tell(stack, &json!({"stock": [level(product, version, sold)]})).await;
}

/// The same as a heartbeat, which is believed because it says when it was read.
async fn forge_heartbeat(stack: &Stack, product: i64, version: i64, sold: i64) {
    let heartbeat = json!({"catalogueVersion": 0, "ledgerTime": SystemClock.now().millis()});
    let stock = [level(product, version, sold)];
    tell(stack, &json!({"stock": stock, "heartbeat": heartbeat})).await;
}

fn level(product: i64, version: i64, sold: i64) -> Value {
    let counts = json!({"total": 10, "reserved": 0, "sold": sold});
    json!({"productId": product, "counts": counts, "version": version})
}

async fn tell(stack: &Stack, update: &Value) {
    stack.servers.vhost.publish("stock.updates", "", update.to_string().as_bytes()).await;
}

/// Waits until the instance shows that so many were sold.
async fn shows(client: &Client, product: i64, sold: i64) {
    eventually("the board is what the ledger has", async || {
        let shown = client.get(&format!("/api/v1/products/{product}/availability")).await;
        (shown.body["soldCount"] == sold).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_that_were_told_wrong_counts_are_put_right_within_two_seconds() {
    let stack = Stack::new().await;
    let (_one, first) = stack.api().await;
    let (_two, second) = stack.api().await;
    let _worker = stack.worker();
    let product = first.add_product("BOARD", 10).await;
    assert_eq!(first.buy("sync", product, "u-1").await.status, 200);
    for api in [&first, &second] {
        shows(api, product, 1).await;
        assert_eq!(api.metric("doorbuster_board_drift_healed_total").await, Some(0.0));
    }

    announced(&stack).await;

    // Sold out, at the version that the ledger has.
    forge(&stack, product, 2, 10).await;
    let healed = async {
        for api in [&first, &second] {
            reaches(api, "doorbuster_board_drift_healed_total", 1.0).await;
            shows(api, product, 1).await;
        }
    };
    timeout(HEALED_WITHIN, healed).await.expect("the boards are right again");
    let (healthy, report) = stack.audit_of(&[&first, &second]);
    assert!(healthy, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_ahead_of_the_ledger_are_told_and_not_believed_for_long() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let _worker = stack.worker();
    let product = client.add_product("LATER", 10).await;
    shows(&client, product, 0).await;

    forge(&stack, product, 1_000, 10).await;
    reaches(&client, "doorbuster_board_ahead_products", 1.0).await;
    reaches(&client, "doorbuster_board_ahead_oldest_seconds", 1.0).await;
    // No heartbeat confirms it, so it is not fresh, and the ledger is asked.
    shows(&client, product, 0).await;
    assert_eq!(client.buy("async", product, "u-1").await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_compares_what_instances_show() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let product = client.add_product("SHOWN", 10).await;
    stack.healthy().await;
    assert!(stack.audit_of(&[&client]).0);

    // Somebody goes on telling it wrong things, and no worker contradicts.
    let stack = Arc::new(stack);
    for (version, sold, kind, what, found, expected) in
        [(1, 4, "BOARD_DIFFERS", "sold", 4, 0), (1_000, 4, "BOARD_AHEAD", "version", 1_000, 1)]
    {
        let forger = Arc::clone(&stack);
        let forging = tokio::spawn(async move {
            loop {
                forge_heartbeat(&forger, product, version, sold).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let report = eventually(kind, async || {
            let (healthy, report) = stack.audit_of(&[&client]);
            (!healthy).then_some(report)
        })
        .await;
        forging.abort();
        let case = json!({"api": client.base, "productId": product, "what": what,
            "found": found, "expected": expected});
        let differs = finding(&report, kind);
        assert_eq!((&differs["invariant"], &differs["cases"]), (&json!("I10"), &json!([case])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_names_what_hands_have_changed() {
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let product = client.add_product("HANDS", 10).await;
    let limit = json!({"perUserLimit": 5});
    let path = format!("/api/v1/products/{product}");
    let key = [("x-api-key", support::API_KEY)];
    let changed = client.try_send("PATCH", &path, &key, Some(limit)).await.unwrap();
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(client.buy("sync", product, "ann").await.status, 200);
    stack.healthy().await;
    let run = async |sql: &str| stack.servers.database.run(sql).await;

    run("update buyers set units = 4 where user_id = 'ann'").await;
    run(&format!(
        "insert into sales (product_id, price_minor, starts_at, ends_at, quantity, taken)
         values ({product}, 1, now() + interval '1 h', now() + interval '2 h', 9, 3)"
    ))
    .await;
    run("insert into orders (id, status, accepted_at, version)
         values ('01a1fd54-603e-8000-8001-d731381e41cc', 'PARKED', now(), 1)")
    .await;
    // Stolen, and sold with no order.
    run("update inventory set total = total - 1, sold = sold + 1").await;
    run("insert into outbox (order_ids, kinds, versions, at, leased_until)
         values ('{}', '{}', '{}', now() - interval '1 h', now() + interval '1 s')")
    .await;

    let (healthy, report) = stack.audit();
    assert!(!healthy);
    let expected = [
        "I3 GATE_DIFFERS",
        "I9 BUYERS_DIFFER",
        "I9 SALES_DIFFER",
        "I10 OUTBOX_WAITS",
        "I12 LETTER_MISSING",
        "I13 ORDERS_DIFFER",
    ];
    assert_eq!(kinds(&report), expected, "{report}");
    let cases = |kind: &str| finding(&report, kind)["cases"].clone();
    let ann = json!({"productId": product, "userId": "ann", "what": "units", "found": 4,
        "expected": 1});
    assert_eq!(cases("BUYERS_DIFFER"), json!([ann]));
    assert_eq!(cases("SALES_DIFFER")[0]["found"], 3);
    assert_eq!(cases("LETTER_MISSING")[0]["orderId"], "01a1fd54-603e-8000-8001-d731381e41cc");
    let of_product = |what: &str, found: i64, expected: i64| json!({"productId": product, "what": what, "found": found, "expected": expected});
    let both = json!([of_product("total", 9, 10), of_product("sold", 2, 1)]);
    assert_eq!(cases("ORDERS_DIFFER"), both);
    assert_eq!(cases("GATE_DIFFERS"), json!([of_product("free", 9, 7)]));
    assert!(report["outboxOldestSeconds"].as_f64().unwrap() > 3_000.0);
    let (_, table) = stack.audit_table();
    let line = format!("product {product}, user ann: units 4, expected 1");
    assert!(table.contains(&line), "{table}");

    // A worker brings the gate in line and pays what is owed. The rest is for people.
    let (_worker, worker) = stack.measured_worker();
    let rest = eventually("the worker has healed what it can", async || {
        let (_, report) = stack.audit();
        let kinds = kinds(&report);
        (!kinds.iter().any(|kind| kind.contains("GATE") || kind.contains("OUTBOX")))
            .then_some(kinds)
    })
    .await;
    assert_eq!(rest.len(), 4, "{rest:?}");
    reaches(&worker, "doorbuster_outbox_rows", 0.0).await;
    run("update buyers set units = 1").await;
    run("delete from sales").await;
    run("delete from orders where status = 'PARKED'").await;
    run("update inventory set total = total + 1, sold = sold - 1").await;
    stack.healthy().await;
}
