//! The conformance suite of the `EventBus` port, run against every adapter.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A panic is how a test fails.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use rstest::rstest;
use shared::adapters::embedded::EmbeddedBus;
use shared::adapters::rabbitmq::{Broker, RabbitBus};
use shared::domain::testing::id;
use shared::domain::{Counts, Order, ProductId, StockLevel, Timestamp};
use shared::ports::{BusError, BusMessage, Event, EventBus, Heartbeat, StockUpdate, Subscription};
use shared::testing::Family::{self, Embedded, Real};
use shared::testing::eventually;
use shared::testing::rabbitmq::Vhost;
use tokio::time::timeout;

/// A bus of one test, on a virtual host of its own where there are such.
struct Subject {
    bus: Arc<dyn EventBus>,
    _vhost: Option<Vhost>,
}

impl std::ops::Deref for Subject {
    type Target = dyn EventBus;
    fn deref(&self) -> &Self::Target {
        &*self.bus
    }
}

async fn bus(family: Family) -> Subject {
    if family == Embedded {
        return Subject { bus: Arc::new(EmbeddedBus::default()), _vhost: None };
    }
    let vhost = Vhost::create().await;
    let bus = RabbitBus::new(Broker::new(&vhost.config()).unwrap());
    bus.connected().await;
    Subject { bus: Arc::new(bus), _vhost: Some(vhost) }
}

fn stock(version: i64) -> BusMessage {
    let counts = Counts { total: 10, reserved: 1, sold: 2 };
    let level = StockLevel { product_id: ProductId(7), counts, version, sale: None };
    BusMessage::Stock(Arc::new(StockUpdate { stock: vec![level], heartbeat: None }))
}

fn outcome(n: u128) -> BusMessage {
    BusMessage::Outcomes(vec![Arc::new(Order::queued(id(n))), Arc::new(Order::parked(id(n + 1)))])
}

fn event() -> BusMessage {
    let at = Timestamp::from_millis(5_000);
    BusMessage::Event(Event { id: "1".into(), name: "stock.low", at, body: "{}".into() })
}

/// The next message, if it comes within ten seconds.
async fn next(subscription: &mut dyn Subscription) -> Result<BusMessage, BusError> {
    timeout(Duration::from_secs(10), subscription.next()).await.expect("a message")
}

#[rstest]
#[tokio::test]
async fn every_subscriber_gets_every_message_of_both_fanouts(
    #[values(Real, Embedded)] family: Family,
) {
    let bus = bus(family).await;
    let mut left = bus.subscribe().await.unwrap();
    let mut right = bus.subscribe().await.unwrap();
    let heartbeat = Heartbeat { catalogue_version: 3, ledger_time: Timestamp::from_millis(5_000) };
    let beat = StockUpdate { stock: vec![], heartbeat: Some(heartbeat) };
    let messages = [stock(1), outcome(1), BusMessage::Stock(Arc::new(beat))];
    bus.publish(&messages).await.unwrap();
    for subscription in [&mut left, &mut right] {
        let mut seen = Vec::new();
        for _ in &messages {
            seen.push(next(&mut **subscription).await.unwrap());
        }
        assert_eq!(seen, messages);
    }
}

#[rstest]
#[tokio::test]
async fn events_are_not_for_the_boards(#[values(Real, Embedded)] family: Family) {
    let bus = bus(family).await;
    let mut subscription = bus.subscribe().await.unwrap();
    bus.publish(&[event(), stock(1)]).await.unwrap();
    bus.publish(&[event()]).await.unwrap();
    bus.publish(&[stock(2)]).await.unwrap();
    for version in 1..=2 {
        assert_eq!(next(&mut *subscription).await.unwrap(), stock(version));
    }
}

#[tokio::test]
async fn the_embedded_bus_shows_events_to_who_asks() {
    let bus = EmbeddedBus::default();
    let mut events = bus.events();
    bus.publish(&[stock(1), event()]).await.unwrap();
    assert_eq!(events.try_recv().map(BusMessage::Event), Ok(event()));
    assert!(events.try_recv().is_err());
}

#[rstest]
#[tokio::test]
async fn each_fanout_keeps_its_order(#[values(Real, Embedded)] family: Family) {
    let bus = bus(family).await;
    let mut subscription = bus.subscribe().await.unwrap();
    for n in 0..100 {
        bus.publish(&[stock(n), outcome(n as u128)]).await.unwrap();
    }
    let (mut levels, mut outcomes) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        match next(&mut *subscription).await.unwrap() {
            message @ BusMessage::Stock(_) => levels.push(message),
            message @ BusMessage::Outcomes(_) => outcomes.push(message),
            BusMessage::Event(event) => panic!("not for the boards: {event:?}"),
        }
    }
    assert_eq!(levels, (0..100).map(stock).collect::<Vec<_>>());
    assert_eq!(outcomes, (0..100).map(outcome).collect::<Vec<_>>());
}

#[rstest]
#[tokio::test]
async fn who_subscribes_later_misses_what_came_before(#[values(Real, Embedded)] family: Family) {
    let bus = bus(family).await;
    bus.publish(&[stock(1)]).await.unwrap();
    let mut subscription = bus.subscribe().await.unwrap();
    bus.publish(&[stock(2)]).await.unwrap();
    assert_eq!(next(&mut *subscription).await.unwrap(), stock(2));
}

#[rstest]
#[tokio::test]
async fn a_subscriber_that_leaves_bothers_nobody(#[values(Real, Embedded)] family: Family) {
    let bus = bus(family).await;
    drop(bus.subscribe().await.unwrap());
    let mut stays = bus.subscribe().await.unwrap();
    bus.publish(&[stock(1)]).await.unwrap();
    assert_eq!(next(&mut *stays).await.unwrap(), stock(1));
}

#[rstest]
#[tokio::test]
async fn publishing_without_subscribers_is_fine(#[values(Real, Embedded)] family: Family) {
    let bus = bus(family).await;
    bus.publish(&[stock(1), outcome(1)]).await.unwrap();
    bus.publish(&[]).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_cancelled_wait_loses_nothing(#[values(Real, Embedded)] family: Family) {
    let bus = bus(family).await;
    let mut subscription = bus.subscribe().await.unwrap();
    for n in 0..50 {
        assert!(subscription.next().now_or_never().is_none());
        bus.publish(&[stock(n)]).await.unwrap();
        let message = eventually("the message is there", async || {
            subscription.next().now_or_never().map(Result::unwrap)
        })
        .await;
        assert_eq!(message, stock(n));
    }
}

#[rstest]
#[tokio::test]
async fn a_subscriber_that_falls_behind_is_told_and_told_again(
    #[values(Real, Embedded)] family: Family,
) {
    let bus = bus(family).await;
    let mut behind = bus.subscribe().await.unwrap();
    // More than any backlog: 4,096 kept and 256 in hand.
    let messages: Vec<_> = (0..500).map(stock).collect();
    for _ in 0..10 {
        bus.publish(&messages).await.unwrap();
    }
    let mut received = 0;
    while next(&mut *behind).await.is_ok() {
        received += 1;
        assert!(received < 5_000, "nothing was lost, or nobody was told");
    }
    assert!(next(&mut *behind).await.is_err());

    let mut fresh = bus.subscribe().await.unwrap();
    bus.publish(&[stock(1)]).await.unwrap();
    assert_eq!(next(&mut *fresh).await.unwrap(), stock(1));
}
