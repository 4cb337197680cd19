//! A deployment: servers and programs of its own, a witness, and clients' way in.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::ProductId;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::desk::Desk;
use super::facts;
use super::programs::{API_KEY, Deployment, Programs};
use super::recorder::{Recorder, now};
use super::servers::{Server, Servers};
use super::witness::{self, Listener};
use crate::checker::{Breach, Evidence, check};

/// Servers and programs must be there again within this time.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// When faults are over, what waits is settled and announced within this time.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// The gate and the boards agree with the ledger so long after the last commit.
const CONVERGENCE: Duration = Duration::from_millis(2_500);
/// An edge goes by boards that are at most so old.
const STALE_MS: i64 = 2_000;
/// A commit is visible at most so long after its stamp: a server that is stopped in between.
const COMMIT_MS: i64 = 10_000;
/// Orders that every instance is asked for at the end.
const LOOKED_AT_LAST: usize = 300;

/// Times that fit into a trial.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("DOORBUSTER__LOG__LEVEL", "warn"),
    ("DOORBUSTER__HOLDS__SECONDS", "3"),
    ("DOORBUSTER__PAYMENTS__TIMEOUT_MS", "1000"),
    ("DOORBUSTER__PAYMENTS__PAY_WITHIN_MS", "8000"),
];

/// How a deployment is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where `doorbuster`, `doorbuster-api` and `doorbuster-worker` are, built with failpoints.
    pub binaries: PathBuf,
    /// Where everything goes: the servers' data, logs, the clients' history. Must not exist, or be empty.
    pub folder: PathBuf,
    /// Servers with replicas.
    pub replicated: bool,
    /// Instances of the API.
    pub apis: usize,
    /// Workers.
    pub workers: usize,
}

/// The deployment. The programs end before the servers do.
pub(super) struct Site {
    pub(super) programs: Programs,
    pub(super) desk: Arc<Desk>,
    listener: Listener,
    pub(super) servers: Servers,
    setup: Setup,
}

impl Site {
    /// Everything from nothing, ready for purchases.
    pub(super) async fn open(setup: &Setup) -> Result<Self> {
        let logs = setup.folder.join("logs");
        fs::create_dir_all(&logs)?;
        ensure!(
            setup.binaries.join("doorbuster-api").exists(),
            "{} has no doorbuster-api: cargo build --workspace --all-features",
            setup.binaries.display()
        );
        let servers = Servers::up(&setup.folder.join("services"), setup.replicated).await?;
        doorbuster(setup, &servers, &["migrate"]).await?;
        witness::watch_commits(&facts::connect(&servers.url(Server::Postgres)).await?).await?;
        let deployment = Deployment {
            binaries: &setup.binaries,
            logs: &logs,
            servers: &servers,
            environment: ENVIRONMENT,
        };
        let programs = Programs::start(&deployment, setup.apis, setup.workers).await?;
        let recorder = Recorder::new(&setup.folder.join("history.jsonl"))?;
        let desk = Arc::new(Desk::new(programs.apis.clone(), recorder)?);
        let listener = witness::listen(&servers, Arc::clone(&desk)).await?;
        let mut site = Self { programs, desk, listener, servers, setup: setup.clone() };
        site.ready().await?;
        Ok(site)
    }

    /// Returns when every API finds everything it depends on.
    pub(super) async fn ready(&mut self) -> Result<()> {
        let give_up = Instant::now() + READY_WITHIN;
        for api in self.programs.apis.clone() {
            loop {
                self.programs.check()?;
                let readiness = self.desk.readiness(&api).await;
                if readiness.as_deref() == Some("ready") {
                    break;
                }
                if Instant::now() > give_up {
                    bail!("{} is {readiness:?} for {READY_WITHIN:?}", api.name);
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Leads everybody to the server that leads.
    pub(super) fn lead(&self, server: Server) -> Result<()> {
        let addr = self.servers.addr(server)?;
        self.programs.links(server).for_each(|link| link.lead_to(addr));
        if server == Server::RabbitMq {
            self.listener.link.lead_to(addr);
        }
        Ok(())
    }

    /// Puts a product on the shelf.
    pub(super) async fn add_product(
        &self,
        sku: &str,
        units: i64,
        per_user_limit: Option<u32>,
    ) -> Result<ProductId> {
        let body = json!({ "sku": sku, "name": sku, "basePrice": "9.99", "currency": "USD",
            "totalInventory": units, "perUserLimit": per_user_limit });
        let made = self.operate(Method::POST, "/api/v1/products", &body).await?;
        Ok(ProductId(made["productId"].as_i64().context("no productId")?))
    }

    /// What only an operator may do, at the first API.
    pub(super) async fn operate(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let reply = self.desk.operate(&self.programs.apis[0], method, path, body).await;
        let (status, body) = reply.with_context(|| format!("no answer from {path}"))?;
        ensure!(status.is_success(), "{path}: {status} {body}");
        Ok(body)
    }

    /// A session with the ledger.
    pub(super) async fn ledger(&self) -> Result<tokio_postgres::Client> {
        facts::connect(&self.servers.url(Server::Postgres)).await
    }

    /// Returns when nothing waits any more: no purchase, no announcement, no hold.
    pub(super) async fn settled(&self) -> Result<()> {
        let give_up = Instant::now() + SETTLED_WITHIN;
        let ledger = self.ledger().await?;
        loop {
            let (dues, holds) = facts::waiting(&ledger).await?;
            let (queued, _) = facts::queues(&self.servers.url(Server::RabbitMq)).await?;
            if dues == 0 && holds == 0 && queued == 0 {
                return Ok(());
            }
            if Instant::now() > give_up {
                bail!(
                    "after {SETTLED_WITHIN:?} {dues} outbox rows, {holds} holds and {queued} messages wait"
                );
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Everything that contradicts a promise, now that nothing happens any more.
    pub(super) async fn judge(&self) -> Result<(Evidence, Vec<Breach>)> {
        sleep(CONVERGENCE).await;
        let rest = now();
        let ledger = self.ledger().await?;
        let contents = facts::ledger(&ledger).await?;
        for order in contents.orders.iter().rev().take(LOOKED_AT_LAST) {
            for api in &self.programs.apis {
                self.desk.show(api, order.id).await;
            }
        }
        let products: Vec<_> = contents.products.iter().map(|product| product.id).collect();
        let (queued, dead) = facts::queues(&self.servers.url(Server::RabbitMq)).await?;
        let evidence = Evidence {
            gate: facts::gate(&self.servers.url(Server::Redis), &products).await?,
            ledger: contents,
            history: self.desk.recorder.history(),
            queued,
            dead,
            commits: facts::commits(&ledger).await?,
            listening: vec![self.listener.name()],
            stale_ms: STALE_MS,
            commit_ms: COMMIT_MS,
            rest: Some(rest),
        };
        let breaches = check(&evidence);
        Ok((evidence, breaches))
    }

    /// What `doorbuster audit` finds; an error where it finds something.
    pub(super) async fn audit(&self) -> Result<String> {
        doorbuster(&self.setup, &self.servers, &["audit"]).await
    }

    /// Stops the programs, as an operator would, and then the servers.
    pub(super) async fn close(self) {
        let Self { programs, servers, .. } = self;
        programs.stop().await;
        drop(servers);
    }
}

/// Runs the command line over the servers themselves; what it prints.
async fn doorbuster(setup: &Setup, servers: &Servers, args: &[&str]) -> Result<String> {
    let binary: &Path = &setup.binaries.join("doorbuster");
    let output = Command::new(binary)
        .args(args)
        .envs(servers.environment())
        .env("DOORBUSTER__ADMIN__API_KEY", API_KEY)
        .output()
        .await
        .with_context(|| format!("{} cannot be run", binary.display()))?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "doorbuster {}: {told}{complaint}", args.join(" "));
    Ok(told)
}
