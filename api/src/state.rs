//! What every request shares.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use metrics_exporter_prometheus::PrometheusHandle;
use shared::boards::Boards;
use shared::config::{Config, Http};
use shared::domain::{Product, ProductRef};
use shared::pipeline::admit::{self, Admitter, UserLimits};
use shared::pipeline::advance::Advancer;
use shared::pipeline::audit::{AuditReport, audit};
use shared::pipeline::conclude::Concluder;
use shared::pipeline::group_commit::{Bounds, GroupCommit};
use shared::pipeline::key::KeyRing;
use shared::pipeline::limits::Limiter;
use shared::pipeline::pay::Cashier;
use shared::pipeline::relay::Relay;
use shared::pipeline::settle::Settler;
use shared::pipeline::track::Tracker;
use shared::pipeline::waiting_room::WaitingRooms;
use shared::ports::{Announcement, LedgerClock, LedgerError, Ports};
use tokio_util::sync::CancellationToken;

use crate::challenge::Challenge;
use crate::identity::{Gatekeeper, Sessions};
use crate::levels::Levels;
use crate::limits::Limits;
use crate::live::Live;
use crate::problem::Problem;
use crate::readiness::Readiness;
use crate::sales::Sales;
use crate::sampler::Sampler;
use crate::shown::Shown;
use crate::webhook::Signature;

/// The state as handlers are given it.
pub type Shared = Arc<App>;

/// What an audit came to.
pub type AuditResult = Result<Arc<AuditReport>, LedgerError>;

/// One instance of the API.
pub struct App {
    /// The technologies.
    pub ports: Ports,
    /// Catalogue, stock and outcomes in memory.
    pub boards: Arc<Boards>,
    /// Issues and checks tracking IDs.
    pub keys: Arc<KeyRing>,
    /// The ledger's time.
    pub clock: Arc<LedgerClock>,
    /// Accepts purchases.
    pub admitter: Admitter,
    /// Concludes synchronous ones.
    pub concluder: Concluder,
    /// Moves orders along.
    pub advancer: Advancer,
    /// Takes payments for holds.
    pub cashier: Cashier,
    /// Checks what payment providers send, where a secret is shared with them.
    pub webhooks: Option<Signature>,
    /// Tells people from programs.
    pub challenge: Challenge,
    /// Looks them up.
    pub tracker: Tracker,
    /// The lines in front of sales.
    pub waiting_rooms: WaitingRooms,
    /// Reads stock.
    pub levels: Levels,
    /// What of it readers were shown last.
    pub shown: Shown,
    /// Reads sales.
    pub sales: Sales,
    /// Tells clients what changes.
    pub live: Live,
    /// Audits: one at a time, its report for all who ask meanwhile.
    pub audits: GroupCommit<(), AuditResult>,
    /// Tells the rest of the world what was written here.
    relay: Relay,
    /// How often an address or a name may ask.
    pub limits: Arc<Limits>,
    /// How much a user may ask for.
    pub user_limits: UserLimits,
    /// Decides who comes in.
    pub gatekeeper: Arc<Gatekeeper>,
    /// Logs people in and out.
    pub sessions: Sessions,
    /// What the purchase queue looked like a moment ago.
    pub sampler: Sampler,
    /// Whether purchases can be accepted.
    pub readiness: Readiness,
    /// Renders the metrics of this process, where it collects any.
    pub metrics: Option<PrometheusHandle>,
    /// The contract; the router writes it when it has seen every route.
    pub openapi: OnceLock<Bytes>,
    /// Bounds of the listener.
    pub http: Http,
    /// Units of one purchase, at most.
    pub quantity_max: u32,
    /// Set when the program is asked to stop: nobody waits for an outcome any more.
    pub draining: CancellationToken,
}

impl App {
    /// An instance over `ports` that hands its announcements to `relay`. Must be called within a
    /// runtime: it starts the lines in which purchases wait.
    pub fn new(
        ports: Ports,
        config: &Config,
        metrics: Option<PrometheusHandle>,
        relay: Relay,
        draining: CancellationToken,
    ) -> Self {
        let boards = Arc::new(Boards::new(config.boards.outcomes_max, config.boards.fresh));
        let keys = Arc::new(KeyRing::from_config(&config.tracking));
        let clock = Arc::new(LedgerClock::new(Arc::clone(&ports.clock)));
        let limiter = Limiter::start(Arc::clone(&ports.rates));
        let user_limits = UserLimits::new(
            limiter.clone(),
            config.limits.per_user_per_second,
            config.limits.unpaid_holds_per_hour,
        );
        let parts = admit::Parts {
            boards: Arc::clone(&boards),
            keys: Arc::clone(&keys),
            clock: Arc::clone(&clock),
            ledger: Arc::clone(&ports.ledger),
            queue: Arc::clone(&ports.queue),
            idempotency: Arc::clone(&ports.idempotency),
            limits: user_limits.clone(),
            hold_seconds: config.holds.seconds.get(),
        };
        let advancer = Advancer::new(Arc::clone(&ports.ledger), Arc::clone(&boards), relay.clone());
        let settler =
            Settler::new(Arc::clone(&ports.gate), Arc::clone(&ports.ledger), relay.clone());
        let levels =
            Levels::new(Arc::clone(&boards), Arc::clone(&ports.ledger), Arc::clone(&clock));
        let gatekeeper = Arc::new(Gatekeeper::new(config));
        let waiting_rooms = WaitingRooms::start(
            Arc::clone(&ports.rooms),
            Arc::clone(&ports.room_book),
            Arc::clone(&boards),
            Arc::clone(&clock),
            Arc::clone(&keys),
        );
        let live = Live::new(&config.live, &boards, &clock, &waiting_rooms, draining.clone());
        let sales = Sales::new(levels.clone(), Arc::clone(&ports.ledger));
        Self {
            admitter: Admitter::new(parts, admit_bounds(config), config.admit.timeout),
            concluder: Concluder::new(
                settler,
                Arc::clone(&boards),
                settle_bounds(config),
                config.settle.timeout,
            ),
            cashier: Cashier::new(
                advancer.clone(),
                Arc::clone(&ports.payments),
                Arc::clone(&keys),
                Arc::clone(&clock),
                user_limits.clone(),
                config.payments.clone(),
                draining.clone(),
            ),
            advancer,
            webhooks: Signature::of_webhooks(&config.payments),
            challenge: Challenge::new(&config.auth),
            tracker: Tracker::new(
                Arc::clone(&boards),
                Arc::clone(&keys),
                Arc::clone(&ports.ledger),
            ),
            waiting_rooms,
            levels,
            shown: Shown::default(),
            sales,
            live,
            audits: audits(&ports),
            relay,
            limits: Arc::new(Limits::new(limiter, &config.limits)),
            user_limits,
            sessions: Sessions::new(
                Arc::clone(&gatekeeper),
                Arc::clone(&ports.identities),
                Arc::clone(&ports.clock),
                config.auth.clone(),
            ),
            gatekeeper,
            sampler: Sampler::default(),
            readiness: Readiness::default(),
            metrics,
            openapi: OnceLock::new(),
            http: config.http.clone(),
            quantity_max: config.limits.quantity_max.get(),
            draining,
            boards,
            keys,
            clock,
            ports,
        }
    }

    /// Shows a write everywhere: here at once, elsewhere by the relay.
    pub fn spread(&self, announcement: Announcement) {
        self.boards.apply(Some(&announcement));
        self.relay.offer(announcement);
    }

    /// The product that a request names.
    pub async fn product(&self, product: &ProductRef) -> Result<Arc<Product>, Problem> {
        Ok(self.admitter.product(product).await?)
    }
}

fn audits(ports: &Ports) -> GroupCommit<(), AuditResult> {
    let (ledger, gate) = (Arc::clone(&ports.ledger), Arc::clone(&ports.gate));
    GroupCommit::start(Bounds::patient(1_000, 1_000, 1), move |asked| {
        let (ledger, gate) = (Arc::clone(&ledger), Arc::clone(&gate));
        async move {
            let report = audit(&*ledger, &*gate).await.map(Arc::new);
            asked.iter().map(|()| report.clone()).collect()
        }
    })
}

fn admit_bounds(config: &Config) -> Bounds {
    let admit = &config.admit;
    Bounds {
        line_max: admit.line_max,
        wait_max: admit.wait_max,
        batch_max: admit.batch_max,
        rounds: admit.rounds,
    }
}

fn settle_bounds(config: &Config) -> Bounds {
    let settle = &config.settle;
    Bounds {
        line_max: settle.line_max,
        wait_max: settle.wait_max,
        batch_max: settle.batch_max,
        rounds: settle.rounds,
    }
}
