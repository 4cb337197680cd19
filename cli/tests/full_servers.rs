//! Servers that have no room left: for memory, for files. One test, since the servers are everybody's;
//! each part leaves them as they were.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use support::{
    Client, DiskFull, MemoryAlarm, RedisFull, Stack, accept, eventually, kept, readiness,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_goes_on_or_says_that_it_cannot_whoever_is_full() {
    let stack = Stack::new().await;
    for policy in ["noeviction", "volatile-ttl"] {
        redis_full(&stack, policy).await;
    }
    disk_full(&stack).await;
    disk_full_for_the_log(&stack).await;
    broker_short_of_memory(&stack).await;
}

/// The ledger decides, and recognises retries.
async fn redis_full(stack: &Stack, policy: &str) {
    let _worker = stack.worker();
    let (_api, client) = stack.api().await;
    let (product, mut promised) = accept(&client, &format!("REDIS-{policy}"), 20).await;
    let before = keyed(&client, "async", product, &format!("{policy}-1")).await;
    client.outcome(&before).await;
    let full = RedisFull::with(&stack.servers.redis_url, policy);
    for n in 0..20 {
        let answer = client.buy("async", product, &format!("v-{n}")).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        promised.push(answer.text("trackingId"));
    }
    let sync = client.buy("sync", product, "w-1").await;
    assert_eq!(sync.status, 200, "{sync:?}");
    promised.push(sync.text("trackingId"));

    // A key from before, and one that Redis never had.
    let during = keyed(&client, "async", product, &format!("{policy}-2")).await;
    for (original, key) in [(&before, format!("{policy}-1")), (&during, format!("{policy}-2"))] {
        let retry = keyed(&client, "async", product, &key).await;
        let (first, again) = (client.outcome(original).await, client.outcome(&retry).await);
        assert_eq!(
            (&first["status"], &again["status"]),
            (&json!("CONFIRMED"), &json!("CONFIRMED"))
        );
        assert_eq!(first["orderId"], again["orderId"], "{first} {again}");
        assert_eq!(&keyed(&client, "sync", product, &key).await, original);
    }
    drop(full);
    promised.extend([before, during]);
    kept(stack, &client, product, &promised).await;
}

/// Buys with a key; the tracking ID in the answer.
async fn keyed(client: &Client, mode: &str, product: i64, key: &str) -> String {
    let body = json!({"productId": product, "quantity": 1, "userId": "k-1"});
    let path = format!("/api/v1/{mode}/purchase");
    client.post(&path, &[("idempotency-key", key)], body).await.text("trackingId")
}

/// An outage and not the purchases' fault: they wait in the queue and in hand until there is room.
async fn disk_full(stack: &Stack) {
    let _worker = stack.worker();
    let (_api, client) = stack.api().await;
    let (product, mut promised) = accept(&client, "DISK", 20).await;
    let full = DiskFull::beyond(orders_bytes(stack).await + 4_096);
    // The last page has room for some.
    let refused = eventually("no order fits any more", async || {
        let answer = client.buy("sync", product, "v").await;
        if answer.status == 200 {
            promised.push(answer.text("trackingId"));
        }
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_eq!((refused.status, refused.code()), (503, "UNAVAILABLE"), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    let mut waiting = vec![];
    for n in 0..20 {
        let answer = client.buy("async", product, &format!("w-{n}")).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        waiting.push(answer.text("trackingId"));
    }
    let (_, audit) = stack.audit();
    assert_eq!((&audit["parked"], &audit["deadLetters"]), (&json!(0), &json!(0)), "{audit}");
    let last = client.get(&format!("/api/v1/purchases/{}", waiting[19])).await;
    assert_eq!(last.body["status"], "QUEUED", "{last:?}");
    drop(full);
    promised.extend(waiting);
    kept(stack, &client, product, &promised).await;
}

/// Bytes of the table of orders, which is made longer than a segment of PostgreSQL's log: that must
/// be written on. Its pages are filled with orders no larger than those to come.
async fn orders_bytes(stack: &Stack) -> u64 {
    let filler =
        "insert into orders (id, product_id, user_id, quantity, unit_price_minor, currency,
            status, accepted_at, decided_at, version)
        select gen_random_uuid(), 0, 'f', 1, 1, 'USD', 'CANCELLED', now(), now(), 1
        from generate_series(1, 150000)";
    stack.servers.database.run(filler).await;
    let size = stack.servers.database.run("select pg_relation_size('orders')").await;
    let bytes = size[0].parse().unwrap();
    assert!(bytes > 16 << 20, "{bytes}");
    bytes
}

/// PostgreSQL ends when it cannot write its log, and recovers when it is started with room.
async fn disk_full_for_the_log(stack: &Stack) {
    let _worker = stack.worker();
    let (_api, client) = stack.api().await;
    let (product, mut promised) = accept(&client, "LOG", 20).await;
    let full = DiskFull::beyond(4_096);
    eventually("nothing can be written", async || {
        let answer = client.buy("sync", product, "v").await;
        (answer.status == 503).then_some(())
    })
    .await;
    for n in 0..20 {
        let answer = client.buy("async", product, &format!("w-{n}")).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        promised.push(answer.text("trackingId"));
    }
    drop(full);
    kept(stack, &client, product, &promised).await;
}

/// Publishers are blocked: buyers hear so, settling goes on, and all is announced afterwards.
async fn broker_short_of_memory(stack: &Stack) {
    let _worker = stack.worker();
    let (_api, client) = stack.api().await;
    let listener = Listener::bind(stack).await;
    let product = client.add_product("MEMORY", 1_000_000).await;
    let crowd = Crowd::gather(&client, product);
    reached(&crowd.accepted, 100).await;
    let alarm = MemoryAlarm::raise();
    readiness(&client, 503, "unavailable").await;
    reached(&crowd.refused, 100).await;
    // Acknowledged, too: the queue is empty.
    eventually("everything accepted is settled", async || {
        let queue = client.get("/api/v1/async/queue/status").await;
        let accepted = crowd.accepted.load(Ordering::SeqCst);
        (queue.body["depth"] == 0 && sold(stack, product).await >= accepted).then_some(())
    })
    .await;
    let sync = client.buy("sync", product, "w-1").await;
    assert_eq!(sync.status, 200, "{sync:?}");
    let (_, audit) = stack.audit();
    assert!(audit["outbox"].as_i64().unwrap() > 0, "what is owed waits: {audit}");

    drop(alarm);
    readiness(&client, 200, "ready").await;
    let accepted = crowd.accepted.load(Ordering::SeqCst);
    reached(&crowd.accepted, accepted + 100).await;
    let mut promised = crowd.leave().await;
    promised.push(sync.text("trackingId"));
    kept(stack, &client, product, &promised).await;
    listener.hear_of(product, promised).await;
}

/// By the ledger.
async fn sold(stack: &Stack, product: i64) -> usize {
    let sql = format!("select sold from inventory where product_id = {product}");
    stack.servers.database.run(&sql).await[0].parse().unwrap()
}

/// Buyers who come again and again, and who ask until they are told yes.
struct Crowd {
    stop: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    buyers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Crowd {
    fn gather(client: &Client, product: i64) -> Self {
        let mut crowd = Self {
            stop: Arc::default(),
            accepted: Arc::default(),
            refused: Arc::default(),
            buyers: vec![],
        };
        for number in 0..8 {
            let (stop, accepted) = (Arc::clone(&crowd.stop), Arc::clone(&crowd.accepted));
            let (refused, client) = (Arc::clone(&crowd.refused), client.clone());
            crowd.buyers.push(tokio::spawn(async move {
                let mut promised = vec![];
                while !stop.load(Ordering::SeqCst) {
                    let key = format!("u-{number}-{}", promised.len());
                    promised.push(insist(&client, product, &key, &refused).await);
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
                promised
            }));
        }
        crowd
    }

    /// What they were promised.
    async fn leave(self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        join_all(self.buyers).await.into_iter().flat_map(Result::unwrap).collect()
    }
}

/// Waits until there were so many.
async fn reached(counter: &AtomicUsize, count: usize) {
    eventually(&format!("there are {count}"), async || {
        (counter.load(Ordering::SeqCst) >= count).then_some(())
    })
    .await;
}

/// One purchase, with the same key until there is a 202.
async fn insist(client: &Client, product: i64, key: &str, refused: &AtomicUsize) -> String {
    let body = json!({"productId": product, "quantity": 1, "userId": "u-1"});
    let headers = [("idempotency-key", key)];
    loop {
        let answer = client.post("/api/v1/async/purchase", &headers, body.clone()).await;
        // A crowd, but a small one.
        tokio::time::sleep(Duration::from_millis(20)).await;
        if answer.status == 202 {
            return answer.text("trackingId");
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"));
        refused.fetch_add(1, Ordering::SeqCst);
    }
}

/// Another system's queue of confirmed orders.
struct Listener<'a> {
    stack: &'a Stack,
    path: String,
}

impl<'a> Listener<'a> {
    async fn bind(stack: &'a Stack) -> Self {
        let (management, vhost) = (stack.servers.vhost.management(), stack.servers.vhost.name());
        let path = format!("/api/queues/{vhost}/listener");
        management.put(&path, &json!({ "durable": true })).await;
        let binding = format!("/api/bindings/{vhost}/e/events/q/listener");
        management.post(&binding, &json!({ "routing_key": "order.confirmed" })).await;
        Self { stack, path }
    }

    /// Waits until it has heard of all these orders, and has heard of no others of this product. (What
    /// was sold before may be told late.)
    async fn hear_of(&self, product: i64, orders: Vec<String>) {
        let expected: BTreeSet<String> = orders.into_iter().collect();
        let mut heard = BTreeSet::new();
        eventually("all is announced", async || {
            heard.extend(self.heard(product).await);
            (heard.len() >= expected.len()).then_some(())
        })
        .await;
        assert_eq!(heard, expected);
    }

    async fn heard(&self, product: i64) -> Vec<String> {
        let get = json!({ "count": 1_000, "ackmode": "ack_requeue_false", "encoding": "auto" });
        let management = self.stack.servers.vhost.management();
        let messages = management.post(&format!("{}/get", self.path), &get).await;
        let events = messages.as_array().unwrap().iter().map(|message| {
            serde_json::from_str::<Value>(message["payload"].as_str().unwrap()).unwrap()
        });
        let of_it = events.filter(|event| event["data"]["productId"] == product);
        let orders = of_it.flat_map(|event| event["data"]["orders"].as_array().unwrap().clone());
        orders.map(|order| order["orderId"].as_str().unwrap().to_owned()).collect()
    }
}
