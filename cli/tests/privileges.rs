//! Each program has users of its own in PostgreSQL and RabbitMQ, who may do what it needs and no more.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use serde_json::json;
use support::{API_KEY, Stack, eventually};

/// `scheme://user:password@…` as somebody else.
fn as_user(url: &str, user: &str, password: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, server) = rest.split_once('@').unwrap();
    format!("{scheme}://{user}:{password}@{server}")
}

fn password(program: &str) -> String {
    std::env::var(format!("DOORBUSTER_{}_PASSWORD", program.to_uppercase())).unwrap()
}

/// A stack whose programs each come as themselves.
struct Apart {
    stack: Stack,
    postgres: String,
    rabbitmq: String,
}

impl Apart {
    async fn new() -> Self {
        let stack = Stack::new().await;
        let grants =
            ["migrate", "--api-role", "doorbuster_api", "--worker-role", "doorbuster_worker"];
        assert!(stack.command_with(&grants, "").0);
        stack.servers.vhost.permit_programs().await;
        // The owner makes what they use: in a deployment the definitions that the broker loads.
        drop(stack.api().await);
        let postgres = stack.get("DOORBUSTER__POSTGRES__URL");
        let rabbitmq = stack.get("DOORBUSTER__RABBITMQ__URL");
        Self { stack, postgres, rabbitmq }
    }

    fn come_as(&mut self, program: &str) {
        let (postgres, rabbitmq) = (self.postgres_of(program), self.rabbitmq_of(program));
        self.stack.set("DOORBUSTER__POSTGRES__URL", &postgres);
        self.stack.set("DOORBUSTER__RABBITMQ__URL", &rabbitmq);
    }

    fn postgres_of(&self, program: &str) -> String {
        as_user(&self.postgres, &format!("doorbuster_{program}"), &password(program))
    }

    fn rabbitmq_of(&self, program: &str) -> String {
        as_user(&self.rabbitmq, &format!("doorbuster-{program}"), &password(program))
    }

    /// What PostgreSQL says to it.
    async fn sql(&self, program: &str, sql: &str) -> Result<(), String> {
        let url = self.postgres_of(program);
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(sql).await.map_err(|error| {
            error
                .as_db_error()
                .map_or_else(|| error.to_string(), |error| error.message().to_owned())
        })
    }

    async fn connection(&self, program: &str) -> Connection {
        let url = self.rabbitmq_of(program);
        Connection::connect(&url, ConnectionProperties::default()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_shop_runs_on_them() {
    let mut apart = Apart::new().await;
    apart.stack.set("DOORBUSTER__HOLDS__SECONDS", "1");
    apart.come_as("api");
    let (_api, client) = apart.stack.api().await;
    apart.come_as("worker");
    let _worker = apart.stack.worker();
    let product = client.add_product("TV", 9).await;
    let key = [("x-api-key", API_KEY)];

    for mode in ["sync", "async"] {
        let bought = client.buy(mode, product, "ann").await;
        let outcome = client.outcome(&bought.text("trackingId")).await;
        assert_eq!(outcome["status"], "CONFIRMED", "{mode}");
    }
    let one = json!({"productId": product, "quantity": 1, "userId": "bob"});
    let held = client.post("/api/v1/reservations", &[], one.clone()).await;
    let pay = json!({"reservationId": held.text("reservationId"), "paymentTransactionId": "t-1"});
    let paid = client.post("/api/v1/orders/checkout", &[], pay).await;
    assert_eq!(paid.status, 201, "{paid:?}");
    let fulfil = format!("/api/v1/orders/{}/fulfil", paid.text("orderId"));
    assert_eq!(client.post(&fulfil, &key, json!({})).await.status, 200);
    // A hold that the worker ends, and one that its buyer does.
    let expires = client.post("/api/v1/reservations", &[], one.clone()).await;
    let path = format!("/api/v1/reservations/{}", expires.text("reservationId"));
    eventually("the hold ends", async || {
        (client.get(&path).await.body["status"] == "EXPIRED").then_some(())
    })
    .await;
    let released = client.post("/api/v1/reservations", &[], one).await;
    let path = format!("/api/v1/reservations/{}", released.text("reservationId"));
    assert_eq!(client.try_send("DELETE", &path, &[], None).await.unwrap().status, 200);
    // Operators.
    let products = format!("/api/v1/products/{product}");
    let limit = json!({"perUserLimit": 5});
    assert_eq!(client.try_send("PATCH", &products, &key, Some(limit)).await.unwrap().status, 200);
    let restock = format!("{products}/restock");
    assert_eq!(client.post(&restock, &key, json!({"quantity": 3})).await.status, 200);
    let sale = json!({"productId": product, "flashPrice": "5.00", "quantity": 2, "perUserLimit": 1,
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2999-01-01T00:00:00Z"});
    let sale = client.post("/api/v1/flash-sales", &key, sale).await;
    assert_eq!(sale.status, 201, "{sale:?}");
    let sold = client.buy("async", product, "cid").await;
    assert_eq!(client.outcome(&sold.text("trackingId")).await["unitPrice"], "5.00");
    let cancel = format!("/api/v1/flash-sales/{}/cancel", sale.body["id"]);
    assert_eq!(client.post(&cancel, &key, json!({})).await.status, 200);
    // People.
    let zoe = json!({"userId": "zoe", "password": "correct horse battery"});
    let tokens = eventually("an account", async || {
        let answer = client.post("/api/v1/auth/register", &[], zoe.clone()).await;
        (answer.status == 201).then_some(answer)
    })
    .await;
    let refresh = json!({"refreshToken": tokens.text("refreshToken")});
    let fresh = client.post("/api/v1/auth/refresh", &[], refresh).await;
    assert_eq!(fresh.status, 200, "{fresh:?}");
    let logout = json!({"refreshToken": fresh.text("refreshToken")});
    assert_eq!(client.post("/api/v1/auth/logout", &[], logout).await.status, 204);
    assert_eq!(client.post("/api/v1/auth/login", &[], zoe).await.status, 200);
    let status = client.get("/api/v1/async/queue/status").await;
    assert!(status.body["consumers"].as_u64().unwrap() >= 1, "{status:?}");
    apart.come_as("api");
    apart.stack.healthy().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_may_touch_what_it_need_not_in_postgresql() {
    let apart = Apart::new().await;
    let api = [
        "delete from orders",
        "truncate orders",
        "update audit_log set actor = 'nobody'",
        "delete from audit_log",
        "insert into service_keys (name, hash, scopes) values ('x', ''::bytea, '{}')",
        "update accounts set role = 'operator'",
        "insert into accounts (user_id, password_hash, role) values ('eve', 'x', 'operator')",
        "delete from accounts",
        "alter table orders add column x int",
        "drop table products",
        "create table mine (x int)",
        "update stock_movements set delta = 0",
    ];
    let worker = [
        "select * from accounts",
        "select * from signing_keys",
        "select * from service_keys",
        "select * from refresh_tokens",
        "select * from audit_log",
        "insert into products (sku, name, price_minor, currency) values ('X', 'X', 1, 'EUR')",
        "update products set price_minor = 1",
        "update settings set value = '0'",
        "delete from orders",
        "insert into inventory (product_id, total) values (1, 1)",
        "create table mine (x int)",
    ];
    let refusals = api.map(|sql| ("api", sql)).into_iter().chain(worker.map(|sql| ("worker", sql)));
    for (program, sql) in refusals {
        let why = apart.sql(program, sql).await.unwrap_err();
        let refused = ["permission denied", "must be owner", "only ever added to"];
        assert!(refused.iter().any(|text| why.contains(text)), "{program}: {sql}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_may_touch_what_it_need_not_in_rabbitmq() {
    let apart = Apart::new().await;
    let (_api, client) = apart.stack.api().await;
    let product = client.add_product("TV", 9).await;
    assert_eq!(client.buy("async", product, "ann").await.status, 202);
    let (api, worker) = (apart.connection("api").await, apart.connection("worker").await);

    /// What is tried on a channel of its own, which a refusal closes.
    macro_rules! refused {
        ($connection:expr, |$channel:ident| $call:expr) => {
            let $channel = $connection.create_channel().await.unwrap();
            let error = $call.await.map(drop).unwrap_err().to_string();
            assert!(
                error.contains("ACCESS_REFUSED") || error.contains("ACCESS-REFUSED"),
                "{}: {error}",
                stringify!($call)
            );
        };
    }
    let table = FieldTable::default;
    // The API puts purchases in, and can neither read, empty nor delete what others put in.
    refused!(api, |c| c.basic_get("purchases".into(), BasicGetOptions::default()));
    refused!(api, |c| c.basic_consume(
        "purchases".into(),
        "x".into(),
        BasicConsumeOptions::default(),
        table()
    ));
    refused!(api, |c| c.basic_get("purchases.dead".into(), BasicGetOptions::default()));
    refused!(api, |c| c.queue_purge("purchases".into(), QueuePurgeOptions::default()));
    refused!(api, |c| c.queue_delete("purchases".into(), QueueDeleteOptions::default()));
    refused!(api, |c| c.queue_declare("mine".into(), QueueDeclareOptions::default(), table()));
    // The worker takes them, and can put none in, nor listen to what others are told.
    refused!(worker, |c| c.queue_delete("purchases".into(), QueueDeleteOptions::default()));
    refused!(worker, |c| c.queue_declare("mine".into(), QueueDeclareOptions::default(), table()));
    refused!(worker, |c| c.queue_bind(
        "purchases".into(),
        "events".into(),
        "#".into(),
        QueueBindOptions::default(),
        table()
    ));
    let channel = worker.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions::default();
    let published = channel
        .basic_publish(
            "purchases".into(),
            "purchase".into(),
            options,
            b"forged",
            BasicProperties::default(),
        )
        .await;
    let confirmed = match published {
        Ok(confirm) => confirm.await.map(drop),
        Err(error) => Err(error),
    };
    assert!(confirmed.unwrap_err().to_string().contains("ACCESS"), "a purchase nobody made");
    let channel = worker.create_channel().await.unwrap();
    let taken = channel.basic_get("purchases".into(), BasicGetOptions::default()).await.unwrap();
    assert!(taken.is_some(), "what it is for");
}
