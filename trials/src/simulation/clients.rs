//! Who comes to a simulated shop, and when.

use std::sync::Arc;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::STORM;
use super::desk::Desk;
use super::programs::Programs;
use crate::crowd::{Client, Shop};
use crate::world::World;

/// Buyers in a life, at most.
const BUYERS_MAX: u32 = 40;
/// They come within this time.
const COMING_MS: u64 = 9_000;

/// Everybody who wants something.
pub(super) struct Clients {
    desk: Arc<Desk>,
    tasks: JoinSet<()>,
}

impl Clients {
    pub(super) fn start(
        world: &Arc<World>,
        programs: &Arc<Programs>,
        shop: &Shop,
        rng: &mut Rng,
    ) -> Self {
        let desk = Arc::new(Desk::new(Arc::clone(world), Arc::clone(programs)));
        let mut tasks = JoinSet::new();
        tasks.spawn(Client::new(&desk, rng.fork()).operate(shop.clone(), Instant::now() + STORM));
        for number in 0..rng.u32(1..=BUYERS_MAX) {
            let (mut client, shop) = (Client::new(&desk, rng.fork()), shop.clone());
            tasks.spawn(async move {
                client.pause(COMING_MS).await;
                client.buy(shop, number).await;
            });
        }
        Self { desk, tasks }
    }

    /// Returns when all of them have gone.
    pub(super) async fn finish(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// When there are no faults any more, buyers come until nothing is left or nothing is sold.
    pub(super) async fn buy_what_is_left(&self, shop: &Shop) {
        Client::new(&self.desk, Rng::with_seed(0)).buy_what_is_left(shop).await;
    }
}
