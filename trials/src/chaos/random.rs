//! A trial: a crowd in a storm, then calm, then judgement.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use reqwest::Method;
use serde_json::json;
use shared::domain::{ProductId, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::desk::Desk;
use super::link::Wire;
use super::recorder::now;
use super::report::Report;
use super::servers::Server;
use super::site::{Setup, Site};
use super::storm::Storm;
use crate::crowd::{Client, Shop};

/// Clients give up after a minute and a half; none is waited for longer.
const PATIENCE: Duration = Duration::from_secs(180);
/// Few enough to meet their limits.
const USERS: u32 = 300;
/// That the operator brings at once.
const UNITS_MAX: i64 = 60;
const A_DAY_MS: i64 = 86_400_000;

/// What is tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Where and with what.
    pub setup: Setup,
    /// Faults, buyers and what they do follow from it; when exactly things happen does not.
    pub seed: u64,
    /// How long there are faults.
    pub time: Duration,
    /// Buyers who come per second.
    pub buyers_per_s: u32,
}

/// Runs a trial, telling `tell` how far it is.
pub async fn run(trial: &Trial, tell: &(dyn Fn(&str) + Sync)) -> Result<Report> {
    tell("starting servers and programs");
    let mut site = Site::open(&trial.setup).await?;
    let mut rng = Rng::with_seed(trial.seed);
    let shop = open_shop(&site).await?;
    tell(&format!("storm for {:?}, seed {}", trial.time, trial.seed));
    let until = Instant::now() + trial.time;
    let mut crowd = JoinSet::new();
    let operator = Client::new(&site.desk, rng.fork());
    crowd.spawn(operator.operate(shop.clone(), until));
    crowd.spawn(come(Arc::clone(&site.desk), shop.clone(), rng.fork(), until, trial.buyers_per_s));
    let storm = Storm::new(&site, rng.fork(), trial.setup.replicated);
    let raging = storm.rage(until).await;
    let (struck, ended) = (storm.struck(), now());
    drop(storm);
    raging?;

    tell("calm");
    calm(&mut site).await?;
    let served = timeout(PATIENCE, async { while crowd.join_next().await.is_some() {} }).await;
    if served.is_err() {
        tell("some clients still wait");
    }
    Client::new(&site.desk, rng.fork()).buy_what_is_left(&shop).await;
    site.settled().await?;
    tell("judging");
    let (evidence, breaches) = site.judge().await?;
    let audit = site.audit().await;
    let deaths = site.programs.all().map(|program| program.deaths()).sum();
    let report = Report::new(trial, &evidence, breaches, &struck, ended, deaths, audit);
    site.close().await;
    Ok(report)
}

/// What is sold: without rules, under a limit, in a sale with both, scarce, and plenty.
async fn open_shop(site: &Site) -> Result<Shop> {
    let mut products = vec![];
    for (sku, units, limit) in [
        ("free", 300, None),
        ("limited", 400, Some(2)),
        ("sale", 1_000, None),
        ("scarce", 3, None),
        ("plenty", 1_000_000, None),
    ] {
        products.push(site.add_product(sku, units, limit).await?);
    }
    plan_sale(site, products[2]).await?;
    Ok(Shop { products, users: USERS, units: UNITS_MAX })
}

async fn plan_sale(site: &Site, product: ProductId) -> Result<()> {
    let (starts, ends): (Timestamp, Timestamp) =
        (now().plus_millis(1_000), now().plus_millis(A_DAY_MS));
    let sale = json!({ "productId": product, "flashPrice": "5.00", "quantity": 200,
        "startsAt": starts.to_string(), "endsAt": ends.to_string(),
        "perUserLimit": 1, "holdSeconds": 2 });
    site.operate(Method::POST, "/api/v1/flash-sales", &sale).await?;
    Ok(())
}

/// Buyers, one after the other, each of whom stays until it is served.
async fn come(desk: Arc<Desk>, shop: Shop, mut rng: Rng, until: Instant, buyers_per_s: u32) {
    let mut buyers = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / buyers_per_s.max(1));
    for number in 0.. {
        ticks.tick().await;
        if Instant::now() > until {
            break;
        }
        buyers.spawn(Client::new(&desk, rng.fork()).buy(shop.clone(), number));
        while buyers.try_join_next().is_some() {}
    }
    while buyers.join_next().await.is_some() {}
}

/// Lets everything run as it should.
async fn calm(site: &mut Site) -> Result<()> {
    for server in Server::ALL {
        site.programs.links(server).for_each(|link| link.set(Wire::Open));
    }
    site.servers.up_again().await?;
    for program in site.programs.all() {
        program.arm("", Duration::ZERO);
        // A failpoint may still be armed in the life that is under way.
        program.kill().await;
    }
    site.ready().await
}
