//! Losses, and what the runbooks (docs/runbooks) say to do about them, end to end: a ledger restored to an
//! earlier point, a broker without its messages, a Redis without its memory.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use futures::StreamExt;
use lapin::Consumer;
use redis::AsyncCommands;
use serde_json::{Value, json};
use support::{API_KEY, Answer, Client, Database, Server, Stack, eventually, listen};
use tokio::sync::Mutex;

/// One at a time: the last of them stops a server that all would share.
static TURN: Mutex<()> = Mutex::const_new(());

/// Accepts a purchase of one unit, under a key that is always the same.
async fn buy(client: &Client, product: i64, user: &str) -> Answer {
    let body = json!({"productId": product, "quantity": 1, "userId": user});
    let key = format!("cart-{product}");
    client.post("/api/v1/async/purchase", &[("idempotency-key", &key)], body).await
}

/// Has each of them buy a unit; their tracking IDs.
async fn sold(client: &Client, product: i64, users: &[&str]) -> Vec<String> {
    let mut ids = vec![];
    for user in users {
        let accepted = buy(client, product, user).await;
        assert_eq!(accepted.status, 202, "{accepted:?}");
        let id = accepted.text("trackingId");
        assert_eq!(client.outcome(&id).await["status"], "CONFIRMED");
        ids.push(id);
    }
    ids
}

/// How one attempt to buy a unit ends: a status, or the code of a refusal.
async fn attempt(client: &Client, product: i64, user: &str) -> String {
    let answer = buy(client, product, user).await;
    if answer.status != 202 {
        return answer.code().to_owned();
    }
    client.outcome(&answer.text("trackingId")).await["status"].as_str().unwrap().to_owned()
}

/// Buys until nothing is left; how many units there were.
async fn sell_out(client: &Client, product: i64) -> usize {
    for n in 0.. {
        match attempt(client, product, &format!("last-{n}")).await.as_str() {
            "CONFIRMED" => {}
            "REJECTED" | "OUT_OF_STOCK" => return n,
            other => panic!("{other}"),
        }
    }
    unreachable!("there is an end to every stock")
}

/// A retry with the key of a purchase that was lost: accepted under the ID it had, and settled anew.
async fn retried(client: &Client, product: i64, user: &str, lost: &str) {
    eventually("the ledger knows nothing of it", async || {
        let before = client.get(&format!("/api/v1/purchases/{lost}")).await;
        (before.status == 200 && before.body["status"] == "QUEUED").then_some(())
    })
    .await;
    let retry = buy(client, product, user).await;
    assert_eq!((retry.status, retry.text("trackingId").as_str()), (202, lost), "{retry:?}");
    assert_eq!(client.outcome(lost).await["status"], "CONFIRMED");
}

/// Publishes what Redis remembers of a purchase, as an operator would.
async fn publish_again(stack: &Stack, product: i64, user: &str) {
    let name = format!("idem:{}:{user}:cart-{product}", user.len());
    let entry: String = redis(stack).await.get(name).await.unwrap();
    let envelope = format!(r#"{{"v":1,"purchases":[{entry}]}}"#);
    stack.servers.vhost.publish("purchases", "purchase", envelope.as_bytes()).await;
}

async fn hold(client: &Client, product: i64, user: &str) -> String {
    let body = json!({"productId": product, "quantity": 1, "userId": user});
    let held = client.post("/api/v1/reservations", &[], body).await;
    assert_eq!(held.status, 201, "{held:?}");
    held.text("reservationId")
}

async fn check_out(client: &Client, id: &str) -> Answer {
    let body = json!({"reservationId": id, "paymentTransactionId": format!("t-{id}"),
        "paymentMethod": "card", "shippingAddress": {"city": "Bern"}});
    client.post("/api/v1/orders/checkout", &[], body).await
}

/// Plans a sale of `units` that is on, one to a customer.
async fn plan(client: &Client, product: i64, units: i64) {
    let body = json!({"productId": product, "flashPrice": "4.99", "quantity": units,
        "perUserLimit": 1, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"});
    let key = [("x-api-key", API_KEY)];
    let planned = client.post("/api/v1/flash-sales", &key, body).await;
    assert_eq!(planned.status, 201, "{planned:?}");
}

async fn availability(client: &Client, product: i64) -> Value {
    client.get(&format!("/api/v1/products/{product}/availability")).await.body
}

/// The versions that Redis and the ledger have of a product.
async fn versions(stack: &Stack, database: &Database, product: i64) -> (i64, i64) {
    let gate: i64 = redis(stack).await.hget(gate_key(product), "version").await.unwrap();
    let sql = format!("select version from inventory where product_id = {product}");
    (gate, database.run(&sql)[0].parse().unwrap())
}

fn gate_key(product: i64) -> String {
    format!("{{p:{product}}}:gate")
}

async fn redis(stack: &Stack) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(stack.servers.redis_url.as_str()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Returns when a worker has told the gate of all products: `other` was unknown to it before.
async fn heartbeat(stack: &Stack, other: i64) {
    let mut redis = redis(stack).await;
    let _: i64 = redis.del(gate_key(other)).await.unwrap();
    eventually("the heartbeat loads the gate", async || {
        let known: bool = redis.exists(gate_key(other)).await.unwrap();
        known.then_some(())
    })
    .await;
}

/// Everything that the runbook of a restored PostgreSQL says, with all programs stopped; but first
/// without `realign`, to see that it is needed.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_ledger_is_believed_once_it_is_realigned() {
    let _turn = TURN.lock().await;
    let database = Database::create();
    let mut stack = Stack::over(&database).await;
    stack.set("DOORBUSTER__HOLDS__SECONDS", "3600");
    let (mut api, client) = stack.api().await;
    let mut worker = stack.worker();
    let product = client.add_product("PLAIN", 20).await;
    let in_sale = client.add_product("SALE", 9).await;
    plan(&client, in_sale, 4).await;
    sold(&client, product, &["a", "b", "c", "d", "e"]).await;
    sold(&client, in_sale, &["early"]).await;
    let held = hold(&client, product, "holder").await;
    stack.healthy().await;
    let backup = database.back_up();

    let lost = sold(&client, product, &["f", "g", "h", "i"]).await;
    let lost_in_sale = sold(&client, in_sale, &["late"]).await;
    assert_eq!(client.buy("sync", product, "j").await.status, 200);
    assert_eq!(check_out(&client, &held).await.body["status"], "CONFIRMED");
    let late_product = client.add_product("LATE", 1).await;
    let gone = sold(&client, late_product, &["z"]).await;
    stack.healthy().await;
    assert!(api.terminate().success() && worker.terminate().success());

    database.restore_aside(&backup);
    database.swap();
    let (_api, client) = stack.api().await;
    let _worker = stack.worker();
    heartbeat(&stack, in_sale).await;
    let (gate, ledger) = versions(&stack, &database, product).await;
    assert!(gate > ledger, "nobody has told the gate: {gate} {ledger}");
    assert!(!stack.audit().0, "the gate has 9 units, the ledger 14");

    let report = stack.realign(&database.url());
    assert_eq!(report["gateHeeded"], true);
    assert_eq!(report["products"][0]["from"], ledger);
    assert!(report["products"][0]["to"].as_i64().unwrap() > gate);
    assert_eq!(report["orders"], 1, "the hold");
    eventually("the gate follows", async || {
        let (gate, ledger) = versions(&stack, &database, product).await;
        (gate == ledger).then_some(())
    })
    .await;
    stack.healthy().await;

    retried(&client, product, "f", &lost[0]).await;
    let again = client.get(&format!("/api/v1/reservations/{held}")).await;
    assert_eq!(again.body["status"], "RESERVED", "{again:?}");
    assert_eq!(check_out(&client, &held).await.body["status"], "CONFIRMED");
    // What a limit counts went back with the ledger: once more, and no more than that.
    retried(&client, in_sale, "late", &lost_in_sale[0]).await;
    for user in ["early", "late"] {
        let limited = client.buy("sync", in_sale, user).await;
        assert_eq!((limited.status, limited.code()), (409, "ALREADY_PURCHASED"), "{limited:?}");
    }
    assert_eq!(sell_out(&client, in_sale).await, 2, "the sale had four units");
    assert_eq!(sell_out(&client, product).await, 20 - 5 - 2);
    // A purchase of a product that is gone buys no other.
    client.add_product("NEXT", 1).await;
    publish_again(&stack, late_product, "z").await;
    assert_eq!(client.outcome(&gone[0]).await["status"], "REJECTED");
    let sold_units = database.run("select sold from inventory order by product_id");
    assert_eq!(sold_units[..2], ["20", "4"]);
    let log = database.run("select action from audit_log where subject = 'ledger'");
    assert_eq!(log, ["ledger.realign"]);
    stack.healthy().await;
}

/// Listens until `available` units of `product` are told of at a version above `above`; that version.
async fn heard(events: &mut Consumer, product: i64, above: i64, available: i64) -> i64 {
    let listening = async {
        while let Some(delivery) = events.next().await {
            let event: Value = serde_json::from_slice(&delivery.unwrap().data).unwrap();
            let data = &event["data"];
            let version = data["version"].as_i64().unwrap();
            if data["productId"] == product && version > above && data["available"] == available {
                return version;
            }
        }
        panic!("the broker closed the queue");
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), listening).await.unwrap()
}

/// The way with the shortest interruption: restored and realigned beside the ledger that goes on, then put
/// in its place. APIs live on, and so do listeners who take only higher versions.
#[tokio::test(flavor = "multi_thread")]
async fn apis_that_live_through_a_restore_follow_it() {
    let _turn = TURN.lock().await;
    let database = Database::create();
    let stack = Stack::over(&database).await;
    let (_api, client) = stack.api().await;
    let mut worker = stack.worker();
    let (_connection, mut events) =
        listen(&stack.servers.vhost.url(), "events", "stock.changed").await;
    let product = client.add_product("PLAIN", 12).await;
    sold(&client, product, &["a", "b"]).await;
    let backup = database.back_up();
    let lost = sold(&client, product, &["c", "d", "e"]).await;
    let late_product = client.add_product("LATE", 1).await;
    stack.healthy().await;
    let known = heard(&mut events, product, 0, 7).await;

    assert!(worker.terminate().success());
    let restored = database.restore_aside(&backup);
    stack.realign(&restored);
    database.swap();
    // Nobody settles yet; what is accepted waits.
    let accepted = buy(&client, product, "meanwhile").await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    eventually("the board shows what was restored", async || {
        let shown = availability(&client, product).await;
        (shown["soldCount"] == 2 && shown["version"].as_i64()? > known).then_some(())
    })
    .await;
    let _worker = stack.worker();
    assert_eq!(client.outcome(&accepted.text("trackingId")).await["status"], "CONFIRMED");
    assert!(heard(&mut events, product, known, 9).await > known);
    eventually("the catalogue is that of the ledger again", async || {
        let gone = client.get(&format!("/api/v1/products/{late_product}")).await;
        (gone.status == 404).then_some(())
    })
    .await;
    for (user, id) in ["c", "d", "e"].iter().zip(&lost) {
        retried(&client, product, user, id).await;
    }
    assert_eq!(sell_out(&client, product).await, 12 - 2 - 1 - 3);
    stack.healthy().await;
}

/// Purchases that were only in the queue are gone with it. Their tracking IDs stay `QUEUED`; a retry with
/// the key is settled, and so is what an operator publishes again from the idempotency map.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_lost_is_bought_again_under_the_same_id() {
    let _turn = TURN.lock().await;
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let mut worker = stack.worker();
    let product = client.add_product("QUEUE", 10).await;
    sold(&client, product, &["a"]).await;
    worker.kill();
    let mut lost = vec![];
    for user in ["b", "c", "d"] {
        lost.push(buy(&client, product, user).await.text("trackingId"));
    }
    let unkeyed = client.buy("async", product, "e").await.text("trackingId");
    stack.servers.vhost.lose().await;
    let _worker = stack.worker();
    eventually("purchases are accepted again", async || {
        (buy(&client, product, "f").await.status == 202).then_some(())
    })
    .await;
    sold(&client, product, &["f", "g"]).await;

    retried(&client, product, "b", &lost[0]).await;
    for _ in 0..2 {
        publish_again(&stack, product, "c").await;
    }
    assert_eq!(client.outcome(&lost[1]).await["status"], "CONFIRMED");
    for id in [&lost[2], &unkeyed] {
        let open = client.get(&format!("/api/v1/purchases/{id}")).await;
        assert_eq!((open.status, &open.body["status"]), (200, &json!("QUEUED")), "{open:?}");
    }
    // Programs that are connected and idle find their way back, too.
    stack.servers.vhost.lose().await;
    eventually("purchases are accepted again", async || {
        (buy(&client, product, "h").await.status == 202).then_some(())
    })
    .await;
    sold(&client, product, &["h", "i"]).await;
    assert_eq!(sell_out(&client, product).await, 10 - 7);
    stack.healthy().await;
}

/// Redis forgets everything, and then it is away for good: the sale goes on to the last unit.
#[tokio::test(flavor = "multi_thread")]
async fn a_sale_ends_well_without_redis() {
    let _turn = TURN.lock().await;
    let stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let _worker = stack.worker();
    let product = client.add_product("REDIS", 12).await;
    let first = sold(&client, product, &["a", "b"]).await;
    stack.servers.flush_redis().await;
    same_again(&client, product, "a", &first[0]).await;
    sold(&client, product, &["c"]).await;
    stack.healthy().await;

    let _for_good = Server::Redis.kill();
    sold(&client, product, &["d", "e"]).await;
    assert_eq!(client.buy("sync", product, "f").await.status, 200);
    same_again(&client, product, "b", &first[1]).await;
    assert_eq!(sell_out(&client, product).await, 12 - 6);
    let shown = availability(&client, product).await;
    assert_eq!((&shown["soldCount"], &shown["availableCount"]), (&json!(12), &json!(0)));
    assert!(stack.audit().0, "a gate that is away contradicts nothing");
}

/// A retry of which Redis knows nothing is the purchase that the ledger has under its key.
async fn same_again(client: &Client, product: i64, user: &str, original: &str) {
    let retry = buy(client, product, user).await;
    assert_eq!(retry.status, 202, "{retry:?}");
    let outcome = client.outcome(&retry.text("trackingId")).await;
    assert_eq!((&outcome["status"], &outcome["orderId"]), (&json!("CONFIRMED"), &json!(original)));
}
