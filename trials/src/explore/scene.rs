//! One life of the small world, along given choices and then always the first.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use shared::domain::testing::tester;
use shared::domain::{
    Currency, Kind, Minter, Money, ProductId, Purchase, Quantity, Sku, Status, Terms, Timestamp,
    TrackingKey, UserId,
};
use shared::pipeline::key::KeyRing;
use shared::pipeline::relay::{Payer, Relay};
use shared::pipeline::settle::Settler;
use shared::ports::{Ledger, NewProduct, Ports, PurchaseQueue, StockGate, SyncMode};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use worker::Consumer;

use super::stage::Stage;
use crate::checker::{Breach, Invariant, check};
use crate::history::{Answer, Want, What};
use crate::world::{Call, Fate, Node, SimulatedClock, World, in_virtual_time};

const STOCK: i64 = 2;
const WORKERS: [&str; 2] = ["A", "B"];
const SYNCHRONOUS: &str = "S";
/// Virtual time in which everything that does not wait for the explorer is over, the longest pause
/// of a worker included.
const SETTLED: Duration = Duration::from_secs(3);
/// A purchase that is delivered three times is settled alone, and so on: all of it ends.
const STEPS_MAX: usize = 400;

/// What came of a life.
pub(super) struct Lived {
    /// The choice at each step.
    pub(super) choices: Vec<usize>,
    /// How many there were.
    pub(super) options: Vec<usize>,
    /// What is wrong at the end; none if it was left before, since the rest is known.
    pub(super) end: Option<Vec<Breach>>,
    /// What happened.
    pub(super) trace: String,
}

/// One choice.
#[derive(Debug, Clone)]
enum Choice {
    /// This call meets this.
    Call((String, Call), Fate),
    /// Redis forgets everything.
    Flush,
}

pub(super) struct Scene {
    world: Arc<World>,
    stage: Stage,
    nodes: Vec<Arc<Node>>,
    keys: Arc<KeyRing>,
    faults_left: usize,
    /// How often each program was started.
    lives: BTreeMap<&'static str, usize>,
}

impl Scene {
    /// Lives along `choices`, then always takes the first. After them `is_new` is asked at each
    /// step about the state; the life ends where it says no.
    pub(super) fn live(
        faults_max: usize,
        choices: &[usize],
        is_new: impl FnMut(u64) -> bool,
    ) -> Lived {
        in_virtual_time(0, live(faults_max, choices, is_new))
    }

    async fn set(faults_max: usize) -> Self {
        let stage = Stage::default();
        let world = World::new(Box::new(stage.clone()), SimulatedClock::standing());
        let key = TrackingKey::new([7; 16]);
        let keys = Arc::new(KeyRing::default());
        keys.set(key.clone());
        let product = stocked(&world).await;
        let minter = Minter::new(key, 1);
        let purchases = ["a", "b", "c"].map(|user| purchase(&minter, product, user, world.now()));
        let [first, second, third] = purchases;
        let mut scene = Self {
            world,
            stage,
            nodes: vec![],
            keys,
            faults_left: faults_max,
            lives: BTreeMap::new(),
        };
        for (attempt, purchase) in (1..).zip([&first, &second, &third]) {
            scene.ask(attempt, purchase);
        }
        for (attempt, purchase) in (1..).zip([&first, &second]) {
            let published = scene.world.queue.publish(std::slice::from_ref(purchase)).await;
            if published.is_ok() {
                let answer = Answer::Accepted { id: purchase.id };
                scene.world.note(What::Answered { attempt, answer });
            }
        }
        for name in WORKERS {
            scene.start_worker(name);
        }
        scene.start_synchronous(third);
        scene
    }

    fn ask(&self, attempt: u64, purchase: &Purchase) {
        let terms = &purchase.terms;
        let want = Want {
            user: terms.user_id.clone(),
            product: terms.product_id,
            quantity: terms.quantity,
            hold: false,
            key: None,
        };
        self.world.note(What::Asked { attempt, want });
    }

    fn node(&mut self, name: &'static str) -> (Arc<Node>, Ports, Relay, Settler) {
        let life = self.lives.entry(name).or_default();
        *life += 1;
        let node = Node::new(&self.world, format!("{name}{life}"));
        let ports = node.ports(&self.world);
        let (relay, _) = Relay::start(payer(&ports));
        let settler =
            Settler::new(Arc::clone(&ports.gate), Arc::clone(&ports.ledger), relay.clone());
        self.nodes.push(Arc::clone(&node));
        (node, ports, relay, settler)
    }

    fn start_worker(&mut self, name: &'static str) {
        let (_, ports, relay, settler) = self.node(name);
        let consumer = Consumer {
            queue: ports.queue,
            ledger: ports.ledger,
            settler,
            relay,
            keys: Arc::clone(&self.keys),
            batch_max: 1,
            shutdown: CancellationToken::new(),
        };
        tokio::spawn(consumer.run());
    }

    fn start_synchronous(&mut self, purchase: Purchase) {
        let (_, _, _, settler) = self.node(SYNCHRONOUS);
        tokio::spawn(async move {
            // An error is the client's to hear.
            let _ = settler.settle(&[purchase]).await;
        });
    }

    /// Lets everything run that does not wait for us.
    async fn settle(&mut self) {
        sleep(SETTLED).await;
        let dead: Vec<_> = self.nodes.iter().filter(|node| node.is_dead()).cloned().collect();
        for node in dead {
            self.nodes.retain(|other| !Arc::ptr_eq(other, &node));
            let worker = WORKERS.iter().find(|name| node.name.starts_with(*name));
            if let Some(name) = worker {
                self.start_worker(name);
                sleep(SETTLED).await;
            }
        }
    }

    fn choices(&self) -> Vec<Choice> {
        let mut choices = vec![];
        for who in self.stage.waiting() {
            // What a dead program asked for is not to be.
            if !self.nodes.iter().any(|node| node.name == who.0) {
                continue;
            }
            choices.push(Choice::Call(who.clone(), Fate::Clean));
        }
        if choices.is_empty() || self.faults_left == 0 {
            return choices;
        }
        let faults = [Fate::ErrorBefore, Fate::ErrorAfter, Fate::CrashBefore, Fate::CrashAfter];
        let calls = choices.clone();
        for choice in calls {
            if let Choice::Call(who, _) = choice {
                choices.extend(faults.map(|fate| Choice::Call(who.clone(), fate)));
            }
        }
        choices.push(Choice::Flush);
        choices
    }

    fn take(&mut self, choice: &Choice) {
        match choice {
            Choice::Call(who, fate) => {
                self.faults_left -= usize::from(*fate != Fate::Clean);
                self.stage.let_go(who, *fate);
            }
            Choice::Flush => {
                self.faults_left -= 1;
                self.world.trace("the gate forgets everything");
                self.world.gate.flush();
            }
        }
    }

    async fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let contents = self.world.ledger.contents();
        format!("{contents:?}").hash(&mut hasher);
        let products: Vec<_> = contents.products.iter().map(|product| product.id).collect();
        format!("{:?}", self.world.gate.levels(&products).await).hash(&mut hasher);
        self.world.queue.messages().hash(&mut hasher);
        let mut living: Vec<_> = self.nodes.iter().map(|node| node.name.clone()).collect();
        living.sort();
        self.stage.hash_places(&living, &mut hasher);
        self.faults_left.hash(&mut hasher);
        hasher.finish()
    }

    /// No faults any more: what was left is announced, and all is as it must be.
    async fn end(&mut self) -> Vec<Breach> {
        self.stage.open();
        self.world.clock.set_offset_ms(10_000);
        let node = Node::new(&self.world, "sweeper".into());
        let swept = payer(&node.ports(&self.world)).sweep().await;
        self.world.trace(format_args!("swept {swept:?}"));
        sleep(SETTLED).await;
        // What the heartbeat would do.
        let levels = self.world.ledger.levels();
        let _ = self.world.gate.sync(&levels, SyncMode::NewerOrEqual).await;
        let evidence = self.world.evidence(vec![], 0).await;
        let mut breaches = check(&evidence);
        let of =
            |status| evidence.ledger.orders.iter().filter(|order| order.status == status).count();
        let settled = evidence.ledger.orders.len() - of(Status::Parked);
        let expected = settled.min(STOCK as usize);
        if of(Status::Confirmed) != expected {
            breaches.push(Breach {
                invariant: Invariant::NoUndersell,
                subject: "product".into(),
                contradiction: format!("{} of {expected} units were sold", of(Status::Confirmed)),
            });
        }
        breaches
    }
}

async fn live(faults_max: usize, given: &[usize], mut is_new: impl FnMut(u64) -> bool) -> Lived {
    let mut scene = Scene::set(faults_max).await;
    let (mut choices, mut options) = (vec![], vec![]);
    let mut end = None;
    for step in 0..STEPS_MAX {
        scene.settle().await;
        let possible = scene.choices();
        if possible.is_empty() {
            end = Some(scene.end().await);
            break;
        }
        // The way that is given was walked before.
        if step >= given.len() && !is_new(scene.digest().await) {
            break;
        }
        let choice = given.get(step).copied().unwrap_or(0);
        choices.push(choice);
        options.push(possible.len());
        scene.take(&possible[choice]);
    }
    Lived { choices, options, end, trace: scene.world.trace_so_far() }
}

fn payer(ports: &Ports) -> Payer {
    Payer {
        gate: Arc::clone(&ports.gate),
        bus: Arc::clone(&ports.bus),
        queue: Arc::clone(&ports.queue),
        ledger: Arc::clone(&ports.ledger),
        events: None,
    }
}

async fn stocked(world: &World) -> ProductId {
    let price = Money { minor: 1_000, currency: Currency::USD };
    let Ok(sku) = Sku::parse("X") else { panic!("a SKU") };
    let new = NewProduct {
        sku,
        name: "X".into(),
        description: String::new(),
        category: String::new(),
        image_url: None,
        price,
        per_user_limit: None,
        total: STOCK,
    };
    let Ok((product, owed)) = world.ledger.create_product(&new, &tester()).await else {
        panic!("a product")
    };
    // The news of the product is no part of this.
    let _ = world.ledger.clear_dues(owed.due.as_slice()).await;
    let levels = world.ledger.levels();
    let _ = world.gate.sync(&levels, SyncMode::Newer).await;
    world.watch_stock();
    product.id
}

fn purchase(minter: &Minter, product: ProductId, user: &str, now: Timestamp) -> Purchase {
    let Ok(user_id) = UserId::parse(user) else { panic!("a user") };
    Purchase {
        id: minter.mint(now),
        terms: Terms {
            product_id: product,
            sale_id: None,
            user_id,
            quantity: Quantity::ONE,
            unit_price: Money { minor: 1_000, currency: Currency::USD },
        },
        kind: Kind::Buy,
        accepted_at: now,
        keyed: None,
        traceparent: None,
        replayed: false,
    }
}
