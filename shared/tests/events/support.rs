//! A shop on real servers, and somebody who listens to its events.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::adapters::family;
use shared::adapters::postgres::PostgresLedger;
use shared::adapters::rabbitmq::{Broker, RabbitBus};
use shared::config::Config;
use shared::domain::testing::{fresh_id, purchase_of, tester};
use shared::domain::{
    Act, Command, Currency, Kind, Late, Money, Order, Payment, PaymentRef, ProductId, ProductRef,
    Purchase, Sku, TrackingId,
};
use shared::pipeline::events::Events;
use shared::pipeline::relay::Payer;
use shared::ports::{Announcement, Answer, Ledger, NewProduct, Ports};
use shared::testing::postgres::TestDatabase;
use shared::testing::rabbitmq::Vhost;

/// Everything that its commits owe is told at once.
pub(crate) struct Shop {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) payer: Payer,
    pub(crate) vhost: Vhost,
    pub(crate) database: TestDatabase,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let (vhost, database) = (Vhost::create().await, TestDatabase::create().await);
        let bus = RabbitBus::new(Broker::new(&vhost.config()).unwrap());
        bus.connected().await;
        let ledger = Arc::new(PostgresLedger::connect(&database.settings()).unwrap());
        let Ports { gate, queue, .. } = family::embedded();
        let events = Events::from_config(&Config::load(None).unwrap().events);
        let payer = Payer { gate, bus: Arc::new(bus), queue, ledger: ledger.clone(), events };
        Self { ledger, payer, vhost, database }
    }

    /// A queue of another system's, with all events from now on.
    pub(crate) async fn listen(&self, queue: &str, arguments: Value) -> Listener<'_> {
        let (management, vhost) = (self.vhost.management(), self.vhost.name());
        let path = format!("/api/queues/{vhost}/{queue}");
        let declaration = json!({ "durable": true, "arguments": arguments });
        management.put(&path, &declaration).await;
        let binding = format!("/api/bindings/{vhost}/e/events/q/{queue}");
        management.post(&binding, &json!({ "routing_key": "#" })).await;
        Listener { shop: self, path }
    }

    /// Pays what is owed; all of it must be taken.
    pub(crate) async fn tell(&self, announcement: Announcement) {
        assert!(self.payer.pay(vec![announcement]).await);
    }

    pub(crate) async fn product(&self, sku: &str, total: i64) -> ProductId {
        let (product, announcement) =
            self.ledger.create_product(&new(sku, total), &tester()).await.unwrap();
        self.tell(announcement).await;
        product.id
    }

    /// Settles a batch and leaves what is owed for it to the caller.
    pub(crate) async fn record(&self, batch: &[Purchase]) -> Announcement {
        let answers = vec![Answer::Unknown; batch.len()];
        let recorded = self.ledger.record(batch, &answers).await.unwrap();
        recorded.announcement.expect("something is owed")
    }

    pub(crate) async fn settle(&self, batch: &[Purchase]) {
        self.tell(self.record(batch).await).await;
    }

    /// Does `act`, which must be allowed; answers the order after it.
    pub(crate) async fn act(&self, id: TrackingId, act: Act) -> Order {
        let command = Command { id, user: None, act, by: None };
        let mut carried = self.ledger.advance(&[command]).await.unwrap();
        self.tell(carried.announcement.expect("something changed")).await;
        carried.results.remove(0).unwrap().order
    }

    pub(crate) async fn let_leases_run_out(&self) {
        self.database.run("update outbox set leased_until = now() - interval '1 s'").await;
    }

    /// Rows of the outbox.
    pub(crate) async fn dues(&self) -> i64 {
        self.ledger.audit().await.unwrap().dues
    }
}

/// Another system's queue.
pub(crate) struct Listener<'a> {
    shop: &'a Shop,
    path: String,
}

impl Listener<'_> {
    /// What has arrived since the last look. Everything confirmed has: a confirm says that it is
    /// in the queue.
    pub(crate) async fn heard(&self) -> Vec<Heard> {
        let get = json!({ "count": 10_000, "ackmode": "ack_requeue_false", "encoding": "auto" });
        let path = format!("{}/get", self.path);
        let messages = self.shop.vhost.management().post(&path, &get).await;
        messages.as_array().unwrap().iter().map(Heard::read).collect()
    }

    /// Takes the queue away.
    pub(crate) async fn leave(self) {
        self.shop.vhost.management().delete(&self.path).await;
    }
}

/// A message, and the event in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    pub(crate) routing_key: String,
    pub(crate) properties: Value,
    pub(crate) event: Value,
}

impl Heard {
    fn read(message: &Value) -> Self {
        Self {
            routing_key: message["routing_key"].as_str().unwrap().to_owned(),
            properties: message["properties"].clone(),
            event: serde_json::from_str(message["payload"].as_str().unwrap()).unwrap(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.event["id"].as_str().unwrap()
    }
}

fn new(sku: &str, total: i64) -> NewProduct {
    NewProduct {
        sku: Sku::parse(sku).unwrap(),
        name: sku.into(),
        description: String::new(),
        category: String::new(),
        image_url: None,
        price: Money { minor: 99_999, currency: Currency::USD },
        per_user_limit: None,
        total,
    }
}

pub(crate) fn by_id(product: ProductId) -> ProductRef {
    ProductRef::Id(product)
}

pub(crate) fn buy(product: ProductId, user: &str, units: u32) -> Purchase {
    purchase_of(fresh_id(), product.0, user, units)
}

/// A hold of one unit.
pub(crate) fn hold(product: ProductId, user: &str, seconds: u32) -> Purchase {
    Purchase { kind: Kind::Hold { seconds }, ..buy(product, user, 1) }
}

pub(crate) fn reference(text: &str) -> PaymentRef {
    PaymentRef::parse(text).unwrap()
}

/// Everything that must not get into an event is in it.
pub(crate) fn checkout(with: &str) -> Act {
    let payment = Payment {
        reference: reference(with),
        method: Some("a secret card".into()),
        shipping_address: Some(r#"{"city": "a secret city"}"#.into()),
    };
    Act::Checkout { payment, within_ms: 60_000 }
}

pub(crate) fn paid(with: &str, late: Late) -> Act {
    Act::Paid { reference: reference(with), late }
}

pub(crate) fn declined(with: &str, keep_hold: bool) -> Act {
    Act::Declined { reference: reference(with), keep_hold }
}
