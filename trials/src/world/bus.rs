//! A tap on the event bus. Subscribers may hear messages late, out of order and twice, and may lose
//! their subscription; what they hear of stock is written down.

use std::collections::VecDeque;

use async_trait::async_trait;
use shared::ports::{BusError, BusMessage, EventBus, Subscription};

use super::{Call, Tap};
use crate::history::What;

pub(super) struct TappedBus(pub(super) Tap);

fn bus_error(why: &str) -> BusError {
    BusError(why.into())
}

#[async_trait]
impl EventBus for TappedBus {
    async fn publish(&self, messages: &[BusMessage]) -> Result<(), BusError> {
        let Self(tap) = self;
        tap.call(Call::Bus("publish"), bus_error, tap.world.bus.publish(messages)).await
    }

    async fn subscribe(&self) -> Result<Box<dyn Subscription>, BusError> {
        let Self(tap) = self;
        tap.call(Call::Bus("subscribe"), bus_error, async { Ok(()) }).await?;
        let (tap, inner) = (tap.clone(), tap.world.bus.subscribe().await?);
        Ok(Box::new(TappedSubscription { tap, inner, ahead: VecDeque::new(), broken: false }))
    }
}

struct TappedSubscription {
    tap: Tap,
    inner: Box<dyn Subscription>,
    /// Messages that are given before the next one.
    ahead: VecDeque<BusMessage>,
    broken: bool,
}

#[async_trait]
impl Subscription for TappedSubscription {
    /// Cancel-safe: a message leaves `ahead` in the step in which it is returned.
    async fn next(&mut self) -> Result<BusMessage, BusError> {
        loop {
            if self.broken {
                return Err(bus_error("simulated: the subscription is lost"));
            }
            if let Some(message) = self.ahead.pop_front() {
                self.hear(&message);
                return Ok(message);
            }
            let message = self.inner.next().await?;
            let director = &self.tap.world.director;
            // Later messages overtake this one, if there are any within a moment.
            for _ in 0..director.hold_back() {
                let moment = std::time::Duration::from_millis(50);
                match tokio::time::timeout(moment, self.inner.next()).await {
                    Ok(overtaking) => self.ahead.push_back(overtaking?),
                    Err(_) => break,
                }
            }
            if director.repeats() {
                self.ahead.push_back(message.clone());
            }
            self.ahead.push_back(message);
            let (tap, call) = (self.tap.clone(), Call::Bus("next"));
            self.broken = tap.call(call, bus_error, async { Ok(()) }).await.is_err();
        }
    }
}

impl TappedSubscription {
    fn hear(&self, message: &BusMessage) {
        if let BusMessage::Stock(update) = message {
            for &level in &update.stock {
                let reader = self.tap.node.name.clone();
                self.tap.world.note(What::Stock { reader, level });
            }
        }
    }
}
