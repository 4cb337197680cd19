//! A crowd in a waiting room: joins the line of a sale, stays connected, and sees how soon everybody learns
//! that the line moved, and that stock did.
//!
//! ```text
//!  plan    its options          join    tickets for everybody
//!  socket  one client, by SSE or WebSocket, who reads and remembers
//!  buyer   those who are let in buy now and then, so that there is news of stock
//!  tally   what was seen, and how late          report  the findings
//! ```

mod buyer;
mod join;
mod plan;
mod report;
mod socket;
mod tally;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use indicatif::{HumanCount, ProgressBar};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::client::resolve;
use crate::engine::process::Meter;
use crate::engine::{LoadError, Watched};
use crate::shop::{Shop, ShopError};
use crate::waiting_room::tally::Tally;

pub use plan::WaitingRoomPlan;
pub use report::WaitingRoomReport;

/// Everybody must have heard of the end within this time.
const GRACE: Duration = Duration::from_secs(10);
/// Memory is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Nothing could be found out.
#[derive(Debug, thiserror::Error)]
pub enum WaitingRoomError {
    /// The options contradict each other.
    #[error("{0}")]
    Plan(String),
    /// A URL cannot be used.
    #[error(transparent)]
    Url(#[from] crate::client::InvalidUrl),
    /// The shop does not do what it must.
    #[error(transparent)]
    Shop(#[from] ShopError),
    /// A process cannot be watched.
    #[error(transparent)]
    Watch(#[from] LoadError),
    /// A client could not connect, or was cut.
    #[error("{clients} of the clients could not stay connected; the first: {first}")]
    Connections {
        /// How many.
        clients: usize,
        /// What became of one of them.
        first: String,
    },
}

/// Runs `plan` to its end. Cheapest on a current-thread runtime.
pub async fn waiting_room(plan: WaitingRoomPlan) -> Result<WaitingRoomReport, WaitingRoomError> {
    if let Some(fault) = plan.fault() {
        return Err(WaitingRoomError::Plan(fault));
    }
    let targets = resolve(&plan.urls).await?;
    let mut shop = Shop::new(targets.clone(), plan.api_key.clone());
    let id = format!("{:08x}", rand::random::<u32>());
    let product = shop.create_product("waiting-room", &id, plan.stock).await?;
    let sale = shop.create_sale(product, &plan.rules()).await?;
    shop.shown_everywhere(product, |stock| stock.available == plan.stock).await?;
    let mut meter = Meter::begin(&plan.processes)?;

    let bar = if plan.progress { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.set_message(format!("{} join", HumanCount(plan.clients as u64)));
    let joined = join::everybody(&targets, &plan, sale, &id).await?;
    meter.look();
    bar.set_message("all have a ticket; they connect");
    let over = CancellationToken::new();
    let _whatever_happens = over.clone().drop_guard();
    let tally = Arc::new(Tally::new(plan.clients));
    let (let_in, passes) = mpsc::channel(plan.clients);
    let began = Instant::now();
    let mut pace = interval(Duration::from_millis(10));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut clients = Vec::with_capacity(plan.clients);
    for (n, ticket) in joined.tickets.iter().enumerate() {
        if n.is_multiple_of(plan.connects_per_10ms()) {
            pace.tick().await;
        }
        let client = socket::Client {
            n,
            way: plan.way(n),
            target: targets[n % targets.len()].clone(),
            ticket: ticket.clone(),
            product,
            tally: Arc::clone(&tally),
            let_in: let_in.clone(),
            over: over.clone(),
        };
        clients.push(tokio::spawn(client.stay()));
    }
    tally.all_connected(plan.patience).await;
    let connected = began.elapsed();
    meter.look();
    tally.begin();

    let buying = tokio::spawn(buyer::buy(
        targets.clone(),
        plan.clone(),
        product,
        passes,
        Arc::clone(&tally),
        over.clone(),
    ));
    let end = Instant::now() + plan.duration;
    let mut looks = interval(LOOK_EVERY);
    while Instant::now() < end {
        looks.tick().await;
        meter.look();
        bar.set_message(tally.line());
    }
    buying.abort();
    // The end must reach everybody at once, and so must what was sold last.
    tally.end();
    shop.cancel_sale(sale).await?;
    let ended = tally.all_know_the_end(GRACE).await;
    meter.look();
    let behind = tally.behind();
    bar.finish_and_clear();
    over.cancel();
    let ends = join_all(clients).await;
    let faults: Vec<String> = ends.into_iter().filter_map(|end| end.ok()?.err()).collect();
    if let Some(first) = faults.first() {
        let clients = faults.len();
        return Err(WaitingRoomError::Connections { clients, first: first.clone() });
    }
    let took = (joined.took, connected, ended);
    Ok(WaitingRoomReport::new(&plan, took, &joined.latency, behind, &tally, meter.used()))
}

/// Processes that are watched.
pub(crate) type Processes = Vec<Watched>;
