//! A crash at each moment of a purchase's way, one after the other, and what must become of it.
//!
//! Each has a product and buyers of its own. At the end everything is judged together.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::json;
use shared::domain::{IdempotencyKey, ProductId, Quantity, Reason, Status, TrackingId, UserId};
use tokio::time::{Instant, sleep};

use super::facts;
use super::link::Wire;
use super::programs::Program;
use super::servers::Server;
use super::site::{Setup, Site};
use crate::checker::Breach;
use crate::crowd::{Counter as _, End};
use crate::history::{Answer, Seen, Want};

/// Only a failing trial waits this long.
const DEADLINE: Duration = Duration::from_secs(45);

/// Crashes at every moment; an error where something else came of it than should have. `tell` hears
/// of each.
pub async fn at_every_moment(setup: &Setup, tell: &(dyn Fn(&str) + Sync)) -> Result<Vec<Breach>> {
    let setup = Setup { apis: 2, workers: 1, replicated: false, ..setup.clone() };
    let mut trial = Moments { site: Site::open(&setup).await?, number: 0 };
    for moment in ["admit.stamped", "admit.confirmed"] {
        tell(&format!("API: {moment}"));
        trial.api_dies_accepting(moment).await.with_context(|| moment.to_owned())?;
    }
    for moment in ["settle.begun", "settle.claimed", "settle.recorded"] {
        tell(&format!("API, synchronously: {moment}"));
        trial.api_dies_settling(moment).await.with_context(|| moment.to_owned())?;
    }
    for moment in [
        "settle.begun=crash",
        "settle.claimed=crash",
        "settle.recorded=crash",
        "relay.show=hang;worker.acked=crash",
        "relay.show=crash",
        "relay.shown=crash",
        "relay.told=crash",
    ] {
        tell(&format!("worker: {moment}"));
        trial.worker_dies(moment).await.with_context(|| moment.to_owned())?;
    }
    tell("worker: killed again and again by one purchase");
    trial.one_purchase_kills_again_and_again().await.context("killed again and again")?;
    for moment in ["park.recorded", "replay.noted"] {
        tell(&format!("a purchase that cannot be settled: {moment}"));
        trial.poison(moment).await.with_context(|| moment.to_owned())?;
    }
    for moment in ["pay.begun", "pay.collected"] {
        tell(&format!("API: {moment}"));
        trial.api_dies_paying(moment).await.with_context(|| moment.to_owned())?;
    }
    tell("worker: expire.recorded");
    trial.worker_dies_expiring().await.context("expire.recorded")?;
    for how in [Wire::Silent, Wire::Cut, Wire::Slow(Duration::from_millis(300))] {
        for server in [Server::Redis, Server::Postgres] {
            tell(&format!("wires to {}: {how:?}", server.name()));
            trial.wires(server, how).await.with_context(|| format!("{server:?} {how:?}"))?;
        }
    }
    tell("judging");
    trial.site.settled().await?;
    let (_, breaches) = trial.site.judge().await?;
    trial.site.audit().await?;
    trial.site.close().await;
    Ok(breaches)
}

struct Moments {
    site: Site,
    number: u32,
}

impl Moments {
    /// A product that no other moment uses.
    async fn product(&mut self, units: i64) -> Result<ProductId> {
        self.number += 1;
        let sku = format!("moment-{}", self.number);
        self.site.add_product(&sku, units, None).await
    }

    fn api(&self, at: usize) -> Arc<Program> {
        Arc::clone(&self.site.programs.apis[at])
    }

    fn worker(&self) -> Arc<Program> {
        Arc::clone(&self.site.programs.workers[0])
    }

    /// What `name` of this moment wants: one unit, under a key.
    fn want(&self, product: ProductId, name: &str) -> Result<Want> {
        let user = UserId::parse(format!("{name}-{}", self.number))?;
        let key = Some(IdempotencyKey::parse(format!("key-{name}-{}", self.number))?);
        Ok(Want { user, product, quantity: Quantity::ONE, hold: false, key })
    }

    /// Starts a program anew, to crash at `failpoints`.
    async fn arm(&mut self, program: &Program, failpoints: &str) -> Result<()> {
        program.arm(failpoints, Duration::ZERO);
        let before = program.instance();
        program.kill().await;
        until("a program is started again", async || program.instance() != before).await?;
        self.site.ready().await
    }

    /// What became of a purchase, once it is decided.
    async fn decided(&self, id: TrackingId) -> Result<(TrackingId, Status)> {
        let api = self.api(1);
        let give_up = Instant::now() + DEADLINE;
        while Instant::now() < give_up {
            if let Seen::Order { order, status, .. } = self.site.desk.show(&api, id).await
                && status != Status::Queued
            {
                return Ok((order, status));
            }
            sleep(Duration::from_millis(20)).await;
        }
        bail!("{id} was not decided within {DEADLINE:?}")
    }

    /// The orders of a buyer, as the ledger has them.
    async fn orders_of(&self, user: &UserId) -> Result<Vec<String>> {
        let ledger = self.site.ledger().await?;
        let sql = "select status from orders where user_id = $1 order by id";
        let rows = ledger.query(sql, &[&user.as_str()]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Every API shows so many units available.
    async fn shown(&self, product: ProductId, units: i64) -> Result<()> {
        for api in &self.site.programs.apis {
            until("every API shows what there is", async || {
                let path = format!("/api/v1/products/{product}/availability");
                let seen = self.site.desk.operate(api, Method::GET, &path, &json!(null)).await;
                seen.is_some_and(|(_, seen)| seen["availableCount"] == units)
            })
            .await?;
        }
        Ok(())
    }

    /// Asks until there is an answer.
    async fn insist(&self, want: &Want, sync: bool) -> Result<Answer> {
        let api = self.api(1);
        let give_up = Instant::now() + DEADLINE;
        while Instant::now() < give_up {
            match self.site.desk.ask(&api, want, sync).await {
                Answer::Unknown => sleep(Duration::from_millis(50)).await,
                answer => return Ok(answer),
            }
        }
        bail!("no answer within {DEADLINE:?}")
    }

    /// A purchase that is accepted, and where it is followed.
    async fn accepted(&self, want: &Want) -> Result<TrackingId> {
        match self.insist(want, false).await? {
            Answer::Accepted { id } => Ok(id),
            other => bail!("{other:?} instead of 202"),
        }
    }

    /// The client hears nothing; the same request again is the only purchase there is.
    async fn api_dies_accepting(&mut self, moment: &str) -> Result<()> {
        let product = self.product(5).await?;
        let want = self.want(product, "buyer")?;
        let api = self.api(0);
        self.arm(&api, &format!("{moment}=crash")).await?;
        let answer = self.site.desk.ask(&api, &want, false).await;
        ensure!(answer == Answer::Unknown, "{answer:?} from an API that died");
        if moment == "admit.stamped" {
            let orders = self.orders_of(&want.user).await?;
            ensure!(orders.is_empty(), "nothing was published, and there are {orders:?}");
        }
        let id = self.accepted(&want).await?;
        let (order, status) = self.decided(id).await?;
        ensure!((order, status) == (id, Status::Confirmed), "{id} became {order} {status}");
        let orders = self.orders_of(&want.user).await?;
        ensure!(orders == ["CONFIRMED"], "{orders:?}");
        self.shown(product, 4).await
    }

    /// What was not recorded is for somebody else; what was recorded is the retry's.
    async fn api_dies_settling(&mut self, moment: &str) -> Result<()> {
        let product = self.product(1).await?;
        let (first, second) = (self.want(product, "first")?, self.want(product, "second")?);
        let api = self.api(0);
        self.arm(&api, &format!("{moment}=crash")).await?;
        let answer = self.site.desk.ask(&api, &first, true).await;
        ensure!(answer == Answer::Unknown, "{answer:?} from an API that died");
        let recorded = moment == "settle.recorded";
        let (winner, loser) = if recorded { (&first, &second) } else { (&second, &first) };
        let Answer::Accepted { id } = self.insist(winner, true).await? else {
            bail!("the last unit was not sold")
        };
        ensure!(self.decided(id).await?.1 == Status::Confirmed, "the last unit was not sold");
        match self.insist(loser, true).await? {
            Answer::Refused { reason: Reason::OutOfStock } => {}
            Answer::Accepted { id } => {
                let (_, status) = self.decided(id).await?;
                ensure!(status == Status::Rejected, "one unit was sold twice: {status}");
            }
            other => bail!("{other:?}"),
        }
        self.shown(product, 0).await
    }

    /// Every purchase is settled once, and everybody hears of it.
    async fn worker_dies(&mut self, failpoints: &str) -> Result<()> {
        let product = self.product(9).await?;
        let worker = self.worker();
        self.arm(&worker, failpoints).await?;
        let deaths = worker.deaths();
        let mut ids = vec![];
        for buyer in 0..5 {
            ids.push(self.accepted(&self.want(product, &format!("buyer-{buyer}"))?).await?);
        }
        until("the worker dies", async || worker.deaths() > deaths).await?;
        for (buyer, id) in ids.into_iter().enumerate() {
            ensure!(self.decided(id).await? == (id, Status::Confirmed), "{id} was not sold");
            let user = self.want(product, &format!("buyer-{buyer}"))?.user;
            let orders = self.orders_of(&user).await?;
            ensure!(orders == ["CONFIRMED"], "{orders:?}");
        }
        self.shown(product, 4).await
    }

    /// It is parked, and an operator's replay settles it once nothing dies of it any more.
    async fn one_purchase_kills_again_and_again(&mut self) -> Result<()> {
        let product = self.product(3).await?;
        let want = self.want(product, "killer")?;
        let worker = self.worker();
        worker.arm_always("settle.claimed=crash");
        worker.kill().await;
        let id = self.accepted(&want).await?;
        self.settles(id, Status::Parked).await?;
        self.arm(&worker, "").await?;
        let neighbour = self.accepted(&self.want(product, "neighbour")?).await?;
        ensure!(self.decided(neighbour).await?.1 == Status::Confirmed, "its neighbour waits");
        self.replay(id).await?;
        self.settles(id, Status::Confirmed).await?;
        self.shown(product, 1).await
    }

    /// A purchase that the ledger's table refuses, until the table is mended.
    async fn poison(&mut self, moment: &str) -> Result<()> {
        let product = self.product(3).await?;
        let want = self.want(product, "poisoned")?;
        let rule = format!("check (user_id <> '{}') not valid", want.user);
        let ledger = self.site.ledger().await?;
        ledger
            .batch_execute(&format!("alter table orders add constraint orders_trial {rule}"))
            .await?;
        // A parked row names nobody, so the rule lets it pass.
        let (worker, api) = (self.worker(), self.api(0));
        if moment == "park.recorded" {
            self.arm(&worker, "park.recorded=crash").await?;
        }
        let deaths = worker.deaths();
        let id = self.accepted(&want).await?;
        self.settles(id, Status::Parked).await?;
        if moment == "park.recorded" {
            until("the worker dies", async || worker.deaths() > deaths).await?;
        }
        until("its copy is in the dead-letter queue", async || {
            let queues = facts::queues(&self.site.servers.url(Server::RabbitMq)).await;
            let named = id.to_string();
            queues.is_ok_and(|(_, dead)| {
                dead.iter().any(|body| String::from_utf8_lossy(body).contains(&named))
            })
        })
        .await?;
        ledger.batch_execute("alter table orders drop constraint orders_trial").await?;
        if moment == "replay.noted" {
            self.arm(&api, "replay.noted=crash").await?;
            ensure!(self.replay(id).await.is_err(), "an API that died answered");
            self.site.ready().await?;
        }
        self.replay(id).await?;
        self.settles(id, Status::Confirmed).await?;
        self.shown(product, 2).await
    }

    async fn replay(&self, id: TrackingId) -> Result<()> {
        let path = format!("/api/v1/admin/dead-letters/{id}/replay");
        self.site.operate(Method::POST, &path, &json!({})).await.map(drop)
    }

    /// An order comes to a state.
    async fn settles(&self, id: TrackingId, status: Status) -> Result<()> {
        let api = self.api(1);
        until(&format!("it is {status}"), async || {
            let seen = self.site.desk.show(&api, id).await;
            matches!(seen, Seen::Order { status: now, .. } if now == status)
        })
        .await
    }

    async fn held(&self, want: &Want) -> Result<TrackingId> {
        let Answer::Accepted { id } = self.insist(want, true).await? else { bail!("no hold") };
        Ok(id)
    }

    /// The payment is not lost sight of: asked for again, or reported by the provider.
    async fn api_dies_paying(&mut self, moment: &str) -> Result<()> {
        let product = self.product(2).await?;
        let want = Want { hold: true, ..self.want(product, "payer")? };
        let api = self.api(0);
        self.arm(&api, &format!("{moment}=crash")).await?;
        let id = self.held(&want).await?;
        let deaths = api.deaths();
        let mut rng = fastrand::Rng::with_seed(0);
        let reference = format!("t-{id}");
        self.site.desk.check_out_at(&api, id, &want.user, &reference).await;
        until("the API dies", async || api.deaths() > deaths).await?;
        self.settles(id, Status::Pending).await?;
        self.site.ready().await?;
        if moment == "pay.begun" {
            self.site.desk.check_out(&mut rng, id, &want.user, &reference).await;
        } else {
            self.site.desk.report(&mut rng, id, &reference, true).await;
        }
        self.settles(id, Status::Confirmed).await?;
        self.shown(product, 1).await
    }

    /// The holds have ended; the sweep tells everybody.
    async fn worker_dies_expiring(&mut self) -> Result<()> {
        let product = self.product(4).await?;
        let worker = self.worker();
        self.arm(&worker, "expire.recorded=crash").await?;
        let deaths = worker.deaths();
        let mut ids = vec![];
        for buyer in 0..3 {
            let want = Want { hold: true, ..self.want(product, &format!("holder-{buyer}"))? };
            ids.push((self.held(&want).await?, want.user));
        }
        until("the worker dies", async || worker.deaths() > deaths).await?;
        for (id, user) in ids {
            self.settles(id, Status::Expired).await?;
            // A hold that is over is not given back once more.
            let mut rng = fastrand::Rng::with_seed(0);
            self.site.desk.end(&mut rng, id, &user, End::Release).await;
        }
        self.shown(product, 4).await
    }

    /// Purchases go on where they can, and all of them are settled when the wires are whole again.
    async fn wires(&mut self, server: Server, wire: Wire) -> Result<()> {
        let product = self.product(50).await?;
        // An API that has not heard of a product yet has to ask the ledger.
        self.shown(product, 50).await?;
        self.site.programs.links(server).for_each(|link| link.set(wire));
        let mut ids = vec![];
        for buyer in 0..10 {
            ids.push(self.accepted(&self.want(product, &format!("buyer-{buyer}"))?).await?);
        }
        if server == Server::Redis {
            for &id in &ids {
                ensure!(self.decided(id).await?.1 == Status::Confirmed, "Redis stopped the sale");
            }
        }
        self.site.programs.links(server).for_each(|link| link.set(Wire::Open));
        for id in ids {
            ensure!(self.decided(id).await?.1 == Status::Confirmed, "{id} was not sold");
        }
        self.site.ready().await?;
        self.shown(product, 40).await
    }
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) -> Result<()> {
    let give_up = Instant::now() + DEADLINE;
    while !is().await {
        ensure!(Instant::now() < give_up, "waited {DEADLINE:?} in vain until {what}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
