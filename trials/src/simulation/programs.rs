//! The programs: two APIs and two workers, each started again some time after it died.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::state::App;
use fastrand::Rng;
use shared::boards::feed;
use shared::config::{Config, DEFAULT_TOML};
use shared::pipeline::events::Events;
use shared::pipeline::relay::{Payer, Relay};
use shared::ports::Ports;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::world::{Node, World};

const APIS: usize = 2;
const WORKERS: usize = 2;
/// A program that died is started again within this time.
const RESTART_MS_MAX: u64 = 2_000;

/// An API that runs.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) node: Arc<Node>,
    pub(super) app: Arc<App>,
}

/// All programs.
pub(super) struct Programs {
    world: Arc<World>,
    config: Config,
    lives: Mutex<Lives>,
}

struct Lives {
    rng: Rng,
    apis: Vec<Api>,
    workers: Vec<Arc<Node>>,
    deaths: u64,
    calm: bool,
}

/// The defaults, with times that fit into a life and a key that is the same in every one.
fn config() -> Config {
    let mut config: Config = match toml::from_str(DEFAULT_TOML) {
        Ok(config) => config,
        Err(error) => panic!("default.toml: {error}"), // A test of it holds that it can be read.
    };
    config.tracking.secret = "simulation".to_owned().into();
    // A few buyers ask for everything.
    config.limits.per_user_per_second = 0;
    config.limits.unpaid_holds_per_hour = 0;
    config.payments.timeout = Duration::from_secs(1);
    config.payments.pay_within = Duration::from_secs(8);
    config
}

impl Programs {
    /// Starts them all, and starts them again when they die.
    pub(super) fn start(world: &Arc<World>, rng: Rng) -> Arc<Self> {
        let lives = Lives { rng, apis: vec![], workers: vec![], deaths: 0, calm: false };
        let programs =
            Arc::new(Self { world: Arc::clone(world), config: config(), lives: lives.into() });
        for number in 0..APIS {
            let first = programs.start_api(number, 1);
            programs.lives().apis.push(first);
            tokio::spawn(Arc::clone(&programs).keep_api(number));
        }
        for number in 0..WORKERS {
            let first = programs.start_worker(number, 1);
            programs.lives().workers.push(first);
            tokio::spawn(Arc::clone(&programs).keep_worker(number));
        }
        programs
    }

    /// One of the APIs, as a balancer would choose it.
    pub(super) fn api(&self, rng: &mut Rng) -> Api {
        self.lives().apis[rng.usize(..APIS)].clone()
    }

    /// Names of those that hear announcements.
    pub(super) fn listening(&self) -> Vec<String> {
        self.lives().apis.iter().map(|api| api.node.name.clone()).collect()
    }

    /// How many died.
    pub(super) fn deaths(&self) -> u64 {
        self.lives().deaths
    }

    pub(super) fn kill_one(&self, rng: &mut Rng) {
        let node = self.any(rng);
        self.world.trace(format_args!("{} is killed", node.name));
        node.kill();
    }

    pub(super) fn stop_one(&self, rng: &mut Rng, until: Instant) {
        let node = self.any(rng);
        let ms = until.duration_since(Instant::now()).as_millis();
        self.world.trace(format_args!("{} is stopped for {ms} ms", node.name));
        node.stop_until(until);
    }

    pub(super) fn set_clock(&self, rng: &mut Rng, wrong_ms_max: i64) {
        let node = self.any(rng);
        // Half of it, since the difference between two settings counts.
        let wrong_ms = rng.i64(-wrong_ms_max / 2..=wrong_ms_max / 2);
        self.world.trace(format_args!("the clock of {} is {wrong_ms} ms off", node.name));
        node.clock.set_offset_ms(wrong_ms);
    }

    /// Lets everything run as it should.
    pub(super) fn heal(&self) {
        let mut lives = self.lives();
        lives.calm = true;
        let apis = lives.apis.iter().map(|api| &api.node);
        for node in apis.chain(&lives.workers) {
            node.stop_until(Instant::now());
            node.clock.set_offset_ms(0);
        }
    }

    fn any(&self, rng: &mut Rng) -> Arc<Node> {
        let lives = self.lives();
        let at = rng.usize(..APIS + WORKERS);
        match lives.apis.get(at) {
            Some(api) => Arc::clone(&api.node),
            None => Arc::clone(&lives.workers[at - APIS]),
        }
    }

    async fn keep_api(self: Arc<Self>, number: usize) {
        for life in 2.. {
            let node = Arc::clone(&self.lives().apis[number].node);
            self.after_the_end_of(&node).await;
            let next = self.start_api(number, life);
            self.lives().apis[number] = next;
        }
    }

    async fn keep_worker(self: Arc<Self>, number: usize) {
        for life in 2.. {
            let node = Arc::clone(&self.lives().workers[number]);
            self.after_the_end_of(&node).await;
            let next = self.start_worker(number, life);
            self.lives().workers[number] = next;
        }
    }

    async fn after_the_end_of(&self, node: &Node) {
        node.died().await;
        let pause_ms = {
            let mut lives = self.lives();
            lives.deaths += 1;
            if lives.calm { 1 } else { lives.rng.u64(1..RESTART_MS_MAX) }
        };
        sleep(Duration::from_millis(pause_ms)).await;
    }

    /// What `api::run` starts, without a listener in front.
    fn start_api(&self, number: usize, life: u32) -> Api {
        let node = Node::new(&self.world, format!("api-{number}#{life}"));
        let ports = node.ports(&self.world);
        let (relay, _) = Relay::start(payer(&ports, &self.config));
        let config = &self.config;
        let app = Arc::new(App::new(ports, config, None, relay, CancellationToken::new()));
        tokio::spawn(feed(
            Arc::clone(&app.boards),
            Arc::clone(&app.ports.bus),
            Arc::clone(&app.ports.ledger),
            Arc::clone(&app.clock),
        ));
        Api { node, app }
    }

    fn start_worker(&self, number: usize, life: u32) -> Arc<Node> {
        let node = Node::new(&self.world, format!("worker-{number}#{life}"));
        let (ports, config) = (node.ports(&self.world), self.config.clone());
        tokio::spawn(async move { worker::run(ports, &config, CancellationToken::new()).await });
        node
    }

    fn lives(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn payer(ports: &Ports, config: &Config) -> Payer {
    Payer {
        gate: Arc::clone(&ports.gate),
        bus: Arc::clone(&ports.bus),
        queue: Arc::clone(&ports.queue),
        ledger: Arc::clone(&ports.ledger),
        events: Events::from_config(&config.events),
    }
}
