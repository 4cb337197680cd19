//! A worker over the embedded adapters, with a ledger that can be made to fail.
#![allow(dead_code)] // Not every test uses all.

mod ledger;

use std::slice;
use std::sync::Arc;

use shared::adapters::family;
use shared::config::Config;
use shared::domain::testing::{fresh_id, purchase_of, tester};
use shared::domain::{
    Currency, Minter, Money, Order, ProductId, ProductRef, Purchase, Sku, TrackingId,
};
use shared::ports::{NewProduct, Ports};
use shared::testing::eventually;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use ledger::{FaultyLedger, faulty};

pub(crate) struct World {
    pub(crate) ports: Ports,
    pub(crate) ledger: Arc<FaultyLedger>,
    minter: Minter,
    shutdown: CancellationToken,
    worker: TaskTracker,
}

/// The number of the only product.
pub(crate) fn product() -> i64 {
    1
}

/// An ID signed with another key.
pub(crate) fn forged() -> TrackingId {
    fresh_id()
}

impl World {
    /// Five units of one product, and a worker.
    pub(crate) async fn start() -> Self {
        let embedded = family::embedded();
        let new = NewProduct {
            sku: Sku::parse("ONLY").unwrap(),
            name: "The only one".into(),
            description: String::new(),
            category: String::new(),
            image_url: None,
            price: Money { minor: 100, currency: Currency::USD },
            per_user_limit: None,
            total: 5,
        };
        embedded.ledger.create_product(&new, &tester()).await.unwrap();
        let minter = Minter::new(embedded.ledger.tracking_key().await.unwrap(), 1);
        let ledger = Arc::new(faulty(Arc::clone(&embedded.ledger)));
        let ports = Ports { ledger: ledger.clone(), ..embedded };
        let (shutdown, worker) = (CancellationToken::new(), TaskTracker::new());
        let (its_ports, its_shutdown) = (ports.clone(), shutdown.clone());
        worker.spawn(async move {
            let config = Config::load(None).unwrap();
            worker::run(its_ports, &config, its_shutdown).await;
        });
        worker.close();
        Self { ports, ledger, minter, shutdown, worker }
    }

    pub(crate) fn purchase(&self, user: &str, units: u32) -> Purchase {
        let id = self.minter.mint(self.ports.clock.now());
        purchase_of(id, product(), user, units)
    }

    pub(crate) async fn publish(&self, purchases: &[Purchase]) {
        self.ports.queue.publish(purchases).await.unwrap();
    }

    pub(crate) async fn order(&self, id: TrackingId) -> Order {
        eventually("an order is there", async || {
            self.ports.ledger.orders(slice::from_ref(&id)).await.ok()?.pop()
        })
        .await
    }

    pub(crate) async fn decided(&self, purchases: &[Purchase]) -> Vec<Order> {
        let ids: Vec<_> = purchases.iter().map(|purchase| purchase.id).collect();
        eventually("all are decided", async || {
            let orders = self.ports.ledger.orders(&ids).await.ok()?;
            let decided = orders.iter().filter(|order| order.status.is_decided()).count();
            (decided == ids.len()).then_some(orders)
        })
        .await
    }

    pub(crate) async fn dead_letters(&self, count: u64) {
        eventually("the dead letters are there", async || {
            (self.ports.queue.status().await.ok()?.dead_letters == count).then_some(())
        })
        .await;
    }

    /// Units sold of the only product.
    pub(crate) async fn sold(&self) -> i64 {
        let stock = self.ports.ledger.stock(&[ProductId(product())]).await.unwrap();
        let by_sku = ProductRef::Id(ProductId(product()));
        assert!(self.ports.ledger.catalogue().await.unwrap().find(&by_sku).is_some());
        stock[0].counts.sold
    }

    /// Stops the worker and waits until it has left.
    pub(crate) async fn stop(&self) {
        self.shutdown.cancel();
        self.worker.wait().await;
    }
}
