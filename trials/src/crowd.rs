//! The crowd: buyers who retry, look, pay, change their minds or go away, and an operator. The same
//! people come to a simulated shop and to a real one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use shared::domain::{IdempotencyKey, ProductId, Quantity, Reason, Status, TrackingId, UserId};
use tokio::time::{Instant, sleep};

use crate::history::{Answer, Seen, Want};

/// A client that gets no answer asks so many times.
const ATTEMPTS_MAX: u32 = 5;
/// A client asks again, and looks again, after this long at most.
const PAUSE_MS_MAX: u64 = 1_500;
/// A client looks this long for what became of its purchase.
const LOOKING: Duration = Duration::from_secs(90);
/// Buyers of what is left, of each product at most.
const LAST_BUYERS: u32 = 60;

/// How an order is given up or finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The customer gives a hold back.
    Release,
    /// The customer takes an order back.
    Cancel,
    /// The operator ships it.
    Fulfil,
}

/// Where the crowd meets the shop. Whoever asks is served by any of its instances, which `rng` chooses.
#[async_trait]
pub(crate) trait Counter: Send + Sync {
    /// One attempt to buy or hold.
    async fn purchase(&self, rng: &mut Rng, want: &Want, sync: bool) -> Answer;
    /// A look at an order.
    async fn look(&self, rng: &mut Rng, id: TrackingId) -> Seen;
    /// Begins to pay for a hold.
    async fn check_out(&self, rng: &mut Rng, id: TrackingId, user: &UserId, reference: &str);
    /// What the payment provider reports.
    async fn report(&self, rng: &mut Rng, id: TrackingId, reference: &str, paid: bool);
    /// Ends an order; false where there was no answer.
    async fn end(&self, rng: &mut Rng, id: TrackingId, user: &UserId, how: End) -> bool;
    /// The operator adds units, or withdraws some; false where there was no answer.
    async fn restock(&self, rng: &mut Rng, product: ProductId, delta: i64) -> bool;
    /// The operator puts a product on the shelf, or takes it off; false where there was no answer.
    async fn set_active(&self, rng: &mut Rng, product: ProductId, active: bool) -> bool;
}

/// Somebody in the crowd.
pub(crate) struct Client<C> {
    counter: Arc<C>,
    rng: Rng,
}

/// What buyers come for.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    /// What is sold.
    pub(crate) products: Vec<ProductId>,
    /// Customers; few enough to meet their limits.
    pub(crate) users: u32,
    /// The operator brings so many units at once, at most.
    pub(crate) units: i64,
}

impl<C: Counter> Client<C> {
    pub(crate) fn new(counter: &Arc<C>, rng: Rng) -> Self {
        Self { counter: Arc::clone(counter), rng }
    }

    /// Within this time.
    pub(crate) async fn pause(&mut self, ms_max: u64) {
        sleep(Duration::from_millis(self.rng.u64(..ms_max))).await;
    }

    /// A buyer from coming to going. No two have the same `number`.
    pub(crate) async fn buy(mut self, shop: Shop, number: u32) {
        let want = self.want(&shop, number);
        let sync = self.rng.u32(..3) == 0;
        let mut answer = self.counter.purchase(&mut self.rng, &want, sync).await;
        for _ in 1..ATTEMPTS_MAX {
            // Without a key a retry is another purchase, which some clients make all the same. Some
            // ask twice though they were answered.
            let again = answer == Answer::Unknown || self.rng.u32(..8) == 0;
            if !again || self.rng.u32(..6) == 0 {
                break;
            }
            self.pause(PAUSE_MS_MAX).await;
            answer = self.counter.purchase(&mut self.rng, &want, sync).await;
        }
        let id = match answer {
            Answer::Accepted { id } | Answer::Decided { id, .. } => id,
            Answer::Refused { .. } | Answer::Unknown => return,
        };
        let Some((order, status)) = self.follow(id).await else { return };
        match status {
            Status::Reserved => self.end_hold(order, &want.user).await,
            Status::Confirmed if self.rng.u32(..6) == 0 => {
                self.end(order, &want.user, End::Cancel).await;
            }
            Status::Confirmed if self.rng.u32(..6) == 0 => {
                self.end(order, &want.user, End::Fulfil).await;
            }
            _ => {}
        }
        self.counter.look(&mut self.rng, order).await;
    }

    fn want(&mut self, shop: &Shop, number: u32) -> Want {
        let user = format!("u-{}", self.rng.u32(..shop.users));
        let keyed = self.rng.u32(..3) > 0;
        let key = keyed.then(|| IdempotencyKey::parse(format!("k-{number}")).ok()).flatten();
        let units = if self.rng.u32(..5) == 0 { 2 } else { 1 };
        Want {
            user: parse(UserId::parse(user)),
            product: shop.products[self.rng.usize(..shop.products.len())],
            quantity: Quantity::parse(units, 2).unwrap_or(Quantity::ONE),
            hold: self.rng.u32(..3) == 0,
            key,
        }
    }

    /// Looks until an order is decided or parked; which it is, a repetition's original, and where it
    /// stands.
    async fn follow(&mut self, id: TrackingId) -> Option<(TrackingId, Status)> {
        let until = Instant::now() + LOOKING;
        while Instant::now() < until {
            if let Seen::Order { order, status, .. } = self.counter.look(&mut self.rng, id).await
                && status != Status::Queued
            {
                return Some((order, status));
            }
            self.pause(PAUSE_MS_MAX).await;
        }
        None
    }

    /// Pays, gives it back, or forgets it. What the provider says may come late, twice, and wrong.
    async fn end_hold(&mut self, id: TrackingId, user: &UserId) {
        let choice = self.rng.u32(..6);
        if choice == 0 {
            return;
        }
        self.pause(2_500).await;
        if choice == 1 {
            return self.end(id, user, End::Release).await;
        }
        let ways = ["t", "t", "decline", "slow", "never", "error"];
        let way = ways[self.rng.usize(..ways.len())];
        let reference = format!("{way}-{id}");
        for _ in 0..self.rng.u32(1..3) {
            self.counter.check_out(&mut self.rng, id, user, &reference).await;
        }
        for _ in 0..self.rng.u32(..3) {
            self.pause(6_000).await;
            self.counter.report(&mut self.rng, id, &reference, way != "decline").await;
        }
        if self.rng.u32(..5) == 0 {
            self.end(id, user, End::Cancel).await;
        }
    }

    async fn end(&mut self, id: TrackingId, user: &UserId, how: End) {
        for _ in 0..ATTEMPTS_MAX {
            if self.counter.end(&mut self.rng, id, user, how).await {
                return;
            }
            self.pause(PAUSE_MS_MAX).await;
        }
    }

    /// The operator, until `until`: more stock, less stock, a product off the shelf for a while.
    pub(crate) async fn operate(mut self, shop: Shop, until: Instant) {
        while Instant::now() < until {
            self.pause(6_000).await;
            let product = shop.products[self.rng.usize(..shop.products.len())];
            if self.rng.u32(..4) == 0 {
                self.set_active(product, false).await;
                self.pause(2_000).await;
                self.set_active(product, true).await;
            } else {
                let delta = self.rng.i64(-shop.units / 2..=shop.units);
                self.counter.restock(&mut self.rng, product, delta).await;
            }
        }
    }

    /// Until it is done: an operator does not leave a product off the shelf.
    async fn set_active(&mut self, product: ProductId, active: bool) {
        while !self.counter.set_active(&mut self.rng, product, active).await {
            self.pause(PAUSE_MS_MAX).await;
        }
    }

    /// When there are no faults any more: buyers come until nothing is left or nothing is sold.
    pub(crate) async fn buy_what_is_left(mut self, shop: &Shop) {
        for &product in &shop.products {
            for number in 0..LAST_BUYERS {
                let user = parse(UserId::parse(format!("last-{product}-{number}")));
                let want = Want { user, product, quantity: Quantity::ONE, hold: false, key: None };
                match self.counter.purchase(&mut self.rng, &want, number % 2 == 0).await {
                    Answer::Accepted { id } => drop(self.follow(id).await),
                    Answer::Refused { reason: Reason::OutOfStock } => break,
                    Answer::Decided { .. } | Answer::Refused { .. } | Answer::Unknown => {}
                }
            }
        }
    }
}

/// Names that are made here are always right.
fn parse<T, E: std::fmt::Display>(parsed: Result<T, E>) -> T {
    match parsed {
        Ok(name) => name,
        Err(error) => panic!("{error}"),
    }
}
