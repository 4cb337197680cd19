//! The API in this process.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Value, json};
use shared::adapters::family;
use shared::config::{Config, DEFAULT_TOML};
use shared::domain::testing::tester;
use shared::domain::{Currency, Money, ProductId, Sku, envelope};
use shared::pipeline::relay::{Payer, Relay};
use shared::pipeline::settle::Settler;
use shared::ports::{NewProduct, Ports};
use shared::testing::eventually;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{Answer, send};

/// The operators' key of every test.
pub(crate) const API_KEY: &str = "a key for operators";

/// An API of one product (number 1, `SKU-1`) with as many units as the test asked for.
pub(crate) struct TestApp {
    pub(crate) addr: SocketAddr,
    pub(crate) ports: Ports,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<()>,
}

impl TestApp {
    /// Starts with `units` of product 1 and the default configuration.
    pub(crate) async fn start(units: i64) -> Self {
        Self::with(units, |_| {}).await
    }

    /// Starts with a changed configuration.
    pub(crate) async fn with(units: i64, change: impl FnOnce(&mut Config)) -> Self {
        Self::over(family::embedded(), units, change).await
    }

    /// Starts over these adapters.
    pub(crate) async fn over(ports: Ports, units: i64, change: impl FnOnce(&mut Config)) -> Self {
        let added = ports.ledger.create_product(&product("SKU-1", units), &tester()).await.unwrap();
        // Nobody listens yet.
        ports.ledger.clear_dues(&Vec::from_iter(added.1.due)).await.unwrap();
        let app = Self::bare(ports, change).await;
        eventually("the API is ready", async || {
            (app.get("/readyz").await.status == 200).then_some(())
        })
        .await;
        app
    }

    /// Starts without waiting until it is ready, and without a product.
    pub(crate) async fn bare(ports: Ports, change: impl FnOnce(&mut Config)) -> Self {
        let mut config: Config = toml::from_str(DEFAULT_TOML).unwrap();
        config.admin.api_key = API_KEY.to_owned().into();
        // Tests of limits turn them on.
        config.limits.per_user_per_second = 0;
        config.limits.sign_ins_per_minute = 0;
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let served = tokio::spawn({
            let (ports, shutdown) = (ports.clone(), shutdown.clone());
            async move { api::run(ports, &config, None, listener, shutdown).await.unwrap() }
        });
        Self { addr, ports, shutdown, served }
    }

    /// Settles what is and will be in the queue, until the test ends.
    pub(crate) fn work(&self) {
        let ports = self.ports.clone();
        tokio::spawn(async move {
            let Ports { queue, gate, ledger, bus, .. } = ports;
            let payer = Payer {
                gate: Arc::clone(&gate),
                bus,
                queue: Arc::clone(&queue),
                ledger: Arc::clone(&ledger),
                events: None,
            };
            let (relay, _) = Relay::start(payer);
            let settler = Settler::new(gate, ledger, relay);
            let mut deliveries = queue.consume().await.unwrap();
            loop {
                let delivery = deliveries.next().await.unwrap();
                let envelope = envelope::decode(&delivery.body).unwrap();
                settler.settle(&envelope.purchases).await.unwrap();
                delivery.receipt.ack_through().await.unwrap();
            }
        });
    }

    /// Messages in the queue.
    pub(crate) async fn depth(&self) -> u64 {
        self.ports.queue.status().await.unwrap().depth
    }

    /// Units available, by the ledger.
    pub(crate) async fn available(&self) -> i64 {
        self.ports.ledger.stock(&[ProductId(1)]).await.unwrap()[0].counts.available()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    /// Posts a JSON value.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body).await
    }

    /// Posts a JSON value with headers.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        self.post_raw(path, headers, body.to_string()).await
    }

    /// Posts anything, said to be JSON.
    pub(crate) async fn post_raw(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let json = [("content-type", "application/json")];
        self.send("POST", path, &[&json, headers].concat(), body).await
    }

    /// Sends JSON as an operator.
    pub(crate) async fn operate(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("x-api-key", API_KEY)];
        self.send(method, path, &headers, body.to_string()).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        send(self.addr, method, path, headers, body).await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A product at 999.99 USD.
pub(crate) fn product(sku: &str, units: i64) -> NewProduct {
    NewProduct {
        sku: Sku::parse(sku).unwrap(),
        name: format!("Product {sku}"),
        description: "For tests".into(),
        category: "tests".into(),
        image_url: None,
        price: Money { minor: 99_999, currency: Currency::USD },
        per_user_limit: None,
        total: units,
    }
}

/// `user` buys `quantity` of product 1.
pub(crate) fn buy_body(user: &str, quantity: u32) -> Value {
    json!({ "productId": 1, "quantity": quantity, "userId": user })
}
