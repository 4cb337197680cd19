//! The crowd: buyers who retry, look, pay, change their minds or go away, and an operator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use shared::domain::{
    Act, Command, IdempotencyKey, PaymentRef, ProductId, ProductRef, Quantity, Reason, Status,
    TrackingId, UserId,
};
use shared::ports::ProductChange;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::programs::Programs;
use super::shop::Shop;
use crate::history::{Answer, Seen, Want};
use crate::world::World;

/// Buyers in a life, at most.
const BUYERS_MAX: u32 = 40;
/// They come within this time.
const COMING_MS: u64 = 9_000;
/// Few enough to meet their limits.
const USERS: u32 = 12;
/// A client that gets no answer asks so many times.
const ATTEMPTS_MAX: u32 = 5;
/// A client asks again, and looks again, after this long at most.
const PAUSE_MS_MAX: u64 = 1_500;
/// A client looks this long for what became of its purchase.
const LOOKING: Duration = Duration::from_secs(90);
/// Buyers of what is left, of each product at most.
const LAST_BUYERS: u32 = 60;

/// Everybody who wants something.
pub(super) struct Clients {
    tasks: JoinSet<()>,
}

/// One of them.
struct Client {
    world: Arc<World>,
    programs: Arc<Programs>,
    attempts: Arc<AtomicU64>,
    rng: Rng,
}

impl Clients {
    pub(super) fn start(
        world: &Arc<World>,
        programs: &Arc<Programs>,
        shop: &Shop,
        rng: &mut Rng,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let attempts = Arc::new(AtomicU64::new(1));
        let mut client = || Client {
            world: Arc::clone(world),
            programs: Arc::clone(programs),
            attempts: Arc::clone(&attempts),
            rng: rng.fork(),
        };
        tasks.spawn(client().operate(shop.clone()));
        let buyers = client().rng.u32(1..=BUYERS_MAX);
        for number in 0..buyers {
            tasks.spawn(client().buy(shop.clone(), number));
        }
        Self { tasks }
    }

    /// Returns when all of them have gone.
    pub(super) async fn finish(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// When there are no faults any more, buyers come until nothing is left or nothing is sold.
pub(super) async fn buy_what_is_left(world: &Arc<World>, programs: &Arc<Programs>, shop: &Shop) {
    let attempts = Arc::new(AtomicU64::new(1_000_000));
    let (world, programs, rng) = (Arc::clone(world), Arc::clone(programs), Rng::with_seed(0));
    let mut client = Client { world, programs, attempts, rng };
    for &product in &shop.products {
        for number in 0..LAST_BUYERS {
            let Ok(user) = UserId::parse(format!("last-{product}-{number}")) else { continue };
            let want = Want { user, product, quantity: Quantity::ONE, hold: false, key: None };
            let sync = number % 2 == 0;
            match client.attempt(&want, sync).await {
                Answer::Accepted { id } => drop(client.follow(id).await),
                Answer::Refused { reason: Reason::OutOfStock } => break,
                Answer::Decided { .. } | Answer::Refused { .. } | Answer::Unknown => {}
            }
        }
    }
}

impl Client {
    async fn pause(&mut self, ms_max: u64) {
        sleep(Duration::from_millis(self.rng.u64(..ms_max))).await;
    }

    async fn attempt(&mut self, want: &Want, sync: bool) -> Answer {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let api = self.programs.api(&mut self.rng);
        api.purchase(&self.world, attempt, want, sync).await
    }

    /// A buyer from coming to going.
    async fn buy(mut self, shop: Shop, number: u32) {
        self.pause(COMING_MS).await;
        let want = self.want(&shop, number);
        let sync = self.rng.u32(..3) == 0;
        let mut answer = self.attempt(&want, sync).await;
        for _ in 1..ATTEMPTS_MAX {
            // Without a key a retry is another purchase, which some clients make all the same. Some
            // ask twice though they were answered.
            let again = answer == Answer::Unknown || self.rng.u32(..8) == 0;
            if !again || self.rng.u32(..6) == 0 {
                break;
            }
            self.pause(PAUSE_MS_MAX).await;
            answer = self.attempt(&want, sync).await;
        }
        let id = match answer {
            Answer::Accepted { id } | Answer::Decided { id, .. } => id,
            Answer::Refused { .. } | Answer::Unknown => return,
        };
        let Some((order, status)) = self.follow(id).await else { return };
        match status {
            Status::Reserved => self.end_hold(order, &want.user).await,
            Status::Confirmed if self.rng.u32(..6) == 0 => {
                self.command(order, Some(want.user), Act::Cancel).await;
            }
            Status::Confirmed if self.rng.u32(..6) == 0 => {
                self.command(order, None, Act::Fulfil).await;
            }
            _ => {}
        }
        self.look(order).await;
    }

    fn want(&mut self, shop: &Shop, number: u32) -> Want {
        let user = format!("u-{}", self.rng.u32(..USERS));
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
            if let Seen::Order { order, status, .. } = self.look(id).await
                && status != Status::Queued
            {
                return Some((order, status));
            }
            self.pause(PAUSE_MS_MAX).await;
        }
        None
    }

    async fn look(&mut self, id: TrackingId) -> Seen {
        let api = self.programs.api(&mut self.rng);
        api.look(&self.world, id).await
    }

    /// Pays, gives it back, or forgets it. What the provider says may come late, twice, and wrong.
    async fn end_hold(&mut self, id: TrackingId, user: &UserId) {
        let choice = self.rng.u32(..6);
        if choice == 0 {
            return;
        }
        self.pause(2_500).await;
        if choice == 1 {
            return self.command(id, Some(user.clone()), Act::Release).await;
        }
        let ways = ["t", "t", "decline", "slow", "never", "error"];
        let way = ways[self.rng.usize(..ways.len())];
        let reference = parse(PaymentRef::parse(format!("{way}-{id}")));
        for _ in 0..self.rng.u32(1..3) {
            let api = self.programs.api(&mut self.rng);
            api.check_out(id, user, &reference).await;
        }
        for _ in 0..self.rng.u32(..3) {
            self.pause(6_000).await;
            let api = self.programs.api(&mut self.rng);
            api.report(id, &reference, way != "decline").await;
        }
        if self.rng.u32(..5) == 0 {
            self.command(id, Some(user.clone()), Act::Cancel).await;
        }
    }

    async fn command(&mut self, id: TrackingId, user: Option<UserId>, act: Act) {
        for _ in 0..ATTEMPTS_MAX {
            let api = self.programs.api(&mut self.rng);
            let command = Command { id, user: user.clone(), act: act.clone() };
            if api.advance(command).await.is_some() {
                return;
            }
            self.pause(PAUSE_MS_MAX).await;
        }
    }

    /// The operator: more stock, less stock, a product off the shelf for a while.
    async fn operate(mut self, shop: Shop) {
        for _ in 0..self.rng.u32(..4) {
            self.pause(4_000).await;
            let product = shop.products[self.rng.usize(..shop.products.len())];
            if self.rng.u32(..4) == 0 {
                self.change(product, false).await;
                self.pause(2_000).await;
                self.change(product, true).await;
            } else {
                let delta = self.rng.i64(-3..=5);
                let api = self.programs.api(&mut self.rng);
                let name = ProductRef::Id(product);
                let restocking = api.app.ports.ledger.restock(&name, delta, "operator");
                if let Some(Ok(done)) = api.ask(restocking).await {
                    api.app.spread(done);
                }
            }
        }
    }

    /// Until it is done: an operator does not leave a product off the shelf.
    async fn change(&mut self, product: ProductId, active: bool) {
        let change = ProductChange { active: Some(active), ..ProductChange::default() };
        loop {
            let api = self.programs.api(&mut self.rng);
            let name = ProductRef::Id(product);
            let changing = api.app.ports.ledger.change_product(&name, &change);
            if let Some(Ok((_, announcement))) = api.ask(changing).await {
                return api.app.spread(announcement);
            }
            self.pause(PAUSE_MS_MAX).await;
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
